#!/bin/bash
# The tests of some smaller libraries. Alone: those of nibbles write into their own source folder, which others watch.
# seconds: 40
# alone
. "$(dirname "$0")/lib.sh"
. "$T_DIR/library.sh"
need sbcl cl-puri cl-ptester cl-base64 cl-kmrcl cl-nibbles cl-named-readtables cl-anaphora cl-rt

library_test puri puri/test
library_test cl-base64 cl-base64/test
library_test nibbles nibbles/tests
library_test named-readtables named-readtables/test
library_test anaphora anaphora/test
done_testing
