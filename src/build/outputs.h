/* outputs.h - the folder of outputs holds what the last builds made, and nothing of what was removed since. */
#ifndef TENON_BUILD_OUTPUTS_H
#define TENON_BUILD_OUTPUTS_H

#include "build/session.h"

/* A build has succeeded; `outputs` are all of its outputs, relative to the folder of outputs. Removes what this request
 * made the last time and nobody makes now. The workspace's lock is held. */
bool outputs_settle(struct session *s, const StrVec *outputs, struct err *err);

#endif
