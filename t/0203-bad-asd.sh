#!/bin/bash
# An .asd that cannot be read, that is broken, that fails.
. "$(dirname "$0")/lib.sh"
need sbcl

small_system
cp small.asd good

# Permissions mean nothing to root.
chmod 000 small.asd
open_to_nobody
WRAP=$(nobody_wrap) expect_fail 2 build small
like "$(stderr)" 'small\.asd' "an .asd without permission is named"
like "$(stderr)" '[Pp]ermission denied' "and why it cannot be read"
chmod 644 small.asd
rm -rf .tenon "$XDG_CACHE_HOME/tenon"

echo '(error "the moon is in the wrong phase")' >>small.asd
expect_fail 2 build small
like "$(stderr)" 'the moon is in the wrong phase' "an error in an .asd is shown"
like "$(stderr)" 'small\.asd' "with its file"

cp good small.asd
echo '(asdf:defsystem "other" :components (' >>small.asd
expect_fail 2 build small
like "$(stderr)" 'small\.asd' "an unbalanced .asd is named"
golden asd-unbalanced "$T_ERR"

echo '(asdf:defsystem "small" :components ((:fiel "package")))' >small.asd
expect_fail 2 build small
like "$(stderr)" 'fiel' "an unknown component class is named"

echo '(no-such-package:defsystem "small")' >small.asd
expect_fail 2 build small
like "$(stderr)" '(no-such-package|NO-SUCH-PACKAGE)' "a missing package is named"

echo '(loop)' >small.asd
expect_fail 1 build small --timeout=3
like "$(stderr)" '3 s' "an .asd that loops is ended"

echo '(sb-ext:exit :code 0 :abort t)' >small.asd
tenon build small
not_ok "an .asd that exits is no success" test $CODE = 0

cp good small.asd
build_ok small
expect_ran 3
done_testing
