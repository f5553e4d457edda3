#!/bin/sh
# The SBCL driver against a host of its own: real Lisp processes, real files. Prints TAP.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
exec python3 "$here/driver/test_driver.py" "$here/../drivers/sbcl"
