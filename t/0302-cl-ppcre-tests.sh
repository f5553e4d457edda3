#!/bin/bash
# cl-ppcre's own tests.
# seconds: 30
. "$(dirname "$0")/lib.sh"
. "$T_DIR/library.sh"
need sbcl cl-ppcre cl-flexi-streams

library_test cl-ppcre cl-ppcre/test
done_testing
