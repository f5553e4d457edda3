/* precedence.h - which systems' steps come first in images.
 *
 *     uint32_t *precedence = graph_precedence(g);
 *     precedence[action] ...
 *     free(precedence);
 *
 * Images share the beginnings of their paths only (image.h). A system's image holds the image of each system that it
 * depends on; of these it can begin with one. So that one is the largest, which in turn begins with its own largest: in
 * depth first order, from the system whose image is the largest, what a system depends on comes before it, the largest
 * images first. The size of an image is the number of actions in it; of two that are equal that comes first which more
 * systems hold.
 *
 * An action without a system is one of its own. Systems that depend on each other in a circle have one place, and so
 * have the actions of a system: among them the front end's order counts. Both together are a topological order, which
 * depends on the graph alone, not on what is left to do: an image is put together in the same order in every build. */
#ifndef TENON_GRAPH_PRECEDENCE_H
#define TENON_GRAPH_PRECEDENCE_H

#include "graph/graph.h"

/* By action, the first has 0; the caller's. O(edges between systems * systems / 64 + sizes of systems' images). */
uint32_t *graph_precedence(const struct graph *g);

#endif
