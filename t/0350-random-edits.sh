#!/bin/bash
# Random edits of random systems, the same each time; many more of them in 0351.
# seconds: 15
. "$(dirname "$0")/lib.sh"
need sbcl
"$PYTHON" "$T_DIR/random_edits.py" --tenon "$TENON" --work "$T_WORK/random" --seed 7 --systems 3 --edits 6
