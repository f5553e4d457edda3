#!/bin/bash
# Ironclad's own tests.
# seconds: 150
# timeout: 900
. "$(dirname "$0")/lib.sh"
. "$T_DIR/library.sh"
need sbcl cl-ironclad cl-rt

library_test ironclad ironclad/tests
done_testing
