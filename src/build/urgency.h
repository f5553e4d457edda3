/* urgency.h - how urgent actions are for the sake of their images.
 *
 * The scheduler knows the paths of the graph. What it can't see there: headers that don't depend on each other are made
 * one after the other all the same, by the process that goes along the spine; an image that branches off from the spine
 * takes time of its own; and a file that probably lacks declarations will have to be compiled twice. A small file
 * behind any of these would be met last, and then keep the whole build waiting.
 *
 *     urgency_tell(b);   // after each change of the tree of images, or when headers took longer than expected
 */
#ifndef TENON_BUILD_URGENCY_H
#define TENON_BUILD_URGENCY_H

#include "build/build.h"

/* Tells the scheduler for each action that has a place in b->images, and refreshes it: the graph's order must be up to
 * date. */
void urgency_tell(struct build *b);

#endif
