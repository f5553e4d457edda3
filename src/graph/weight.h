/* weight.h - how widely a system is used, for the order of steps in images.
 *
 *     uint32_t *weights = graph_weights(g);
 *     weights[action] ...
 *     free(weights);
 *
 * The weight of an action is the number of systems in the graph that depend on its system, directly or not, that one
 * included. An action without a system is one of its own. What a step depends on weighs as much as the step at least,
 * and where it weighs the same it comes first in the front end's order. Weights depend on the graph alone, not on what
 * is left to do: an image is put together in the same order in every build. */
#ifndef TENON_GRAPH_WEIGHT_H
#define TENON_GRAPH_WEIGHT_H

#include "graph/graph.h"

/* By action; the caller's. O(edges between systems * systems / 64) as long as systems don't depend on each other in a
 * circle. */
uint32_t *graph_weights(const struct graph *g);

#endif
