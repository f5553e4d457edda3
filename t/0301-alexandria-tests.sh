#!/bin/bash
# Alexandria's own tests.
# seconds: 15
. "$(dirname "$0")/lib.sh"
. "$T_DIR/library.sh"
need sbcl cl-alexandria

library_test alexandria alexandria-tests
done_testing
