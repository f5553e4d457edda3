#!/bin/bash
# Random edits of random systems: some hundreds, others each day.
# level: all
# seconds: 600
# timeout: 3000
. "$(dirname "$0")/lib.sh"
need sbcl
seed=$(($(date +%Y%m%d) * 100))
diag "seeds from $seed on"
"$PYTHON" "$T_DIR/random_edits.py" --tenon "$TENON" --work "$T_WORK/random" --seed "$seed" --systems 40 --edits 12
