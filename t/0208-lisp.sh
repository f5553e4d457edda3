#!/bin/bash
# No SBCL, one too old, one that is none.
. "$(dirname "$0")/lib.sh"
need sbcl

small_system
mkdir bin
for tool in sh env cat; do ln -s "$(command -v $tool)" bin/; done
WRAP="env PATH=$PWD/bin" expect_fail 3 build
like "$(stderr)" '[Ss][Bb][Cc][Ll]' "a missing SBCL is named"
like "$(stderr)" 'apt-get install sbcl|apt install sbcl' "and how to get it"
golden no-sbcl "$T_ERR"

# SBCL itself, saying that it is older.
cat >old <<END
#!/bin/sh
case " \$* " in
*" --version "*) echo "SBCL 1.4.16.debian"; exit ;;
esac
for word; do
	shift
	[ "\$word" != --eval ] || [ -n "\${said-}" ] || {
		said=1
		set -- "\$@" --eval '(sb-ext:without-package-locks (defun lisp-implementation-version () "1.4.16.debian"))'
	}
	set -- "\$@" "\$word"
done
exec "$(command -v sbcl)" "\$@"
END
chmod +x old
expect_fail 3 build --lisp="$PWD/old"
like "$(stderr)" '1\.4\.16' "an old version is told"
like "$(stderr)" '2\.2' "and which one is needed"
golden old-sbcl "$T_ERR"

expect_fail 3 build --lisp="$PWD/nowhere"
like "$(stderr)" 'nowhere' "a path that leads nowhere is told"
expect_fail 3 build --lisp=/bin/true
like "$(stderr)" '/bin/true' "a program that is no SBCL is told"
printf '#!/bin/sh\nexit 7\n' >dies
chmod +x dies
expect_fail 3 build --lisp="$PWD/dies"
WRAP="env PATH=$PWD/bin" expect_fail 3 doctor

# There is no memory for its heap.
WRAP="prlimit --as=4000000000" expect_fail 3 build
like "$(stderr)" 'does not start' "a Lisp that does not come up is told"
like "$(stderr)" "it printed: .*alloc" "with what it says itself"
build_ok
done_testing
