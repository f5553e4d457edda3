#!/bin/bash
# The tests of libraries that use FiveAM: its own, esrap's, split-sequence's.
# seconds: 60
. "$(dirname "$0")/lib.sh"
. "$T_DIR/library.sh"
need sbcl cl-fiveam cl-esrap cl-split-sequence

library_test fiveam fiveam/test
library_test esrap esrap/tests
library_test split-sequence split-sequence/tests
done_testing
