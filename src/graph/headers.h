/* headers.h - the same graph, with headers in place of FASLs where images allow it.
 *
 * A file that depends on another one is compiled in an image that has the other one's effect. That may come from its
 * FASL, which has to be compiled first, or from its header, which is there 20 times sooner. This adds for each load of
 * a FASL its twin, a header step, which depends on what the compile depends on and not on the compile; and twins for
 * all that carries such dependencies. Compiles then depend on twins. Their dependencies without headers are kept, for
 * the compile that turns out to need FASLs.
 *
 *     graph_add_headers(g, err);      // after graph_finish()
 *
 * Images of other tasks, and what .asd files load, hold FASLs; so do images above these. No image holds a file both
 * ways: where it has the FASL, it does without the header (image_steps()). Who does not depend on such a task or file
 * never notices, so keys do not depend on what else is built. */
#ifndef TENON_GRAPH_HEADERS_H
#define TENON_GRAPH_HEADERS_H

#include "graph/graph.h"

bool graph_add_headers(struct graph *g, struct err *err);
/* The compile depends on these steps as well, whichever image it gets; so does the load of its FASL among FASLs. The
 * graph's order is stale then. */
void graph_depend_on_twins(struct graph *g, action_id compile, const action_id *steps, size_t n);
/* The dependencies of the compile `id` become those without headers. The graph's order is stale then. False: it has no
 * others. */
bool graph_use_fasls(struct graph *g, action_id id);
/* The header `id` becomes the load of the FASL, and depends on the compile. `throughout`: images that have it hold
 * FASLs of all that it depends on, too. The graph's order is stale then. */
void graph_refuse_header(struct graph *g, action_id id, bool throughout);

#endif
