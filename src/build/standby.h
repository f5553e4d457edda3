/* standby.h - images that files which may lack declarations would come back to.
 *
 * Such a file is compiled in the image that it declares and, if that fails, once more in a larger one (lax.c). By then
 * the process that both images would grow from is gone, as a rule, because nobody else needed it; and the larger one
 * would be put together from the beginning. So that process stays until it is known whether the file stands, where
 * making the image again would take long.
 *
 *     standby_expect(b, &open);   // when the tree of images is there, and the scheduler knows what actions take
 *     standby_release(b, id);     // a unit has ended, or has found its place in the tree
 */
#ifndef TENON_BUILD_STANDBY_H
#define TENON_BUILD_STANDBY_H

#include "base/vec.h"
#include "graph/graph.h"

struct build;

void standby_expect(struct build *b, const U32Vec *open);
void standby_release(struct build *b, action_id id);

#endif
