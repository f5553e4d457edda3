/* spine.h - where headers are made first.
 *
 * A compile's image holds what it declares and nothing else. But what headers say of themselves (their records) can be
 * had from any image that has them, and it is needed before the first compile that depends on them can be looked up. So
 * one image, the spine, gets all headers, one after the other, in the order in which images share best; images of
 * compiles branch off from it. Files that nobody ever wanted in one image may clash there (two packages with the same
 * nickname): a header that fails on the spine is set `apart`, and made in a strict image before it is given up. */
#ifndef TENON_GRAPH_SPINE_H
#define TENON_GRAPH_SPINE_H

#include "graph/image.h"

/* Gives each header that is pending its node in the tree, and moves those that have one: counts follow. A header whose
 * dependencies include the load of a FASL in place of a header gets a branch of its own, as it has to wait for that. */
void spine_place(struct image_tree *t, const action_id *headers, size_t n);

#endif
