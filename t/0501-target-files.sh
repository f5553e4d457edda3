#!/bin/bash
# Targets that make files: commands, copies, archives, files from elsewhere, programs with arguments.
# seconds: 10
. "$(dirname "$0")/lib.sh"
need python3 libcommons-lang3-java

touch WORKSPACE
mkdir -p doc tools mirror
cp "$T_ROOT/LICENSE" doc/license.txt
cp /usr/share/java/commons-lang3.jar mirror/
sum=$(sha256sum mirror/commons-lang3.jar | cut -d' ' -f1)
cat >tools/count <<'END'
#!/bin/sh
# Counts the words of its arguments.
cat "$@" | wc -w
exit ${COUNT_EXIT-0}
END
chmod +x tools/count
cat >tools/BUILD <<'END'
(export-file :name "count" :visibility ["PUBLIC"])
(command-alias :name "count-license" :exe ":count" :args ["-" ] :env {"COUNT_EXIT" "7"})
END
cat >doc/BUILD <<'END'
(export-file :name "license" :src "license.txt" :out "LICENSE.copy")
(genrule :name "upper" :srcs ["license.txt"] :out "upper.txt" :cmd "tr a-z A-Z <$SRCS >$OUT")
(genrule :name "words" :srcs [":upper" ":license"] :tools ["//tools:count"] :outs ["n.txt" "names.txt"]
         :cmd "$(exe //tools:count) $SRCS >${OUTS%% *}; echo $(location :upper) >${OUTS##* }")
(zip-file :name "all" :srcs [":words" ":upper" "license.txt"] :prefix "doc")
END
cat >BUILD <<END
(remote-file :name "lang3" :url "file:$PWD/mirror/commons-lang3.jar" :sha256 "$sum" :out "lang3.jar")
END

build_ok
expect_ran 6
out=.tenon/out/default
same_file doc/license.txt $out/doc/LICENSE.copy "an exported file is the file"
is "$(cat $out/doc/upper.txt)" "$(tr a-z A-Z <doc/license.txt)" "a command sees its source and writes its output"
is "$(cat $out/doc/n.txt)" "$(cat doc/license.txt doc/license.txt | wc -w)" "a command runs another target"
is "$(cat $out/doc/names.txt)" "../../gen/doc/upper.txt" "and sees the same paths everywhere"
same_file mirror/commons-lang3.jar $out/lang3.jar "a fetched file is the file"
ok "the fetched jar can be read" "$PYTHON" -m zipfile -t $out/lang3.jar
is "$("$PYTHON" -c 'import zipfile,sys; print(*zipfile.ZipFile(sys.argv[1]).namelist())' $out/doc/all.zip)" \
	"doc/license.txt doc/n.txt doc/names.txt doc/upper.txt" "what the archive holds"
before=$(outputs .)

# The same elsewhere, without what is in the store.
mkdir "$T_WORK/w2" && cp -r WORKSPACE BUILD doc tools mirror "$T_WORK/w2"
tenon build -C "$T_WORK/w2" --store="$T_WORK/store2"
is "$CODE $(ran | wc -l)" "0 6" "all of it runs in another folder with another store"
is "$(outputs "$T_WORK/w2")" "$before" "and gives the same bytes"

# A change goes as far as it matters.
echo "# a comment" >>tools/count
tenon build
is "$CODE $(ran | tr '\n' ' ')" "0 //doc:words //tools:count " "another tool: what it made is made again, not what rests on that"
like "$(logged "$T_LOG" reasons)" '//doc:words	"tools/count" changed' "and why is told"
echo more >>doc/license.txt
build_ok
is "$(ran | tr '\n' ' ')" "//doc:all //doc:license //doc:upper //doc:words " "another source"
sed -i 's/"doc"/"docs"/' doc/BUILD
build_ok //doc/...
is "$(ran | tr '\n' ' ')" "//doc:all " "another attribute"
like "$(logged "$T_LOG" reasons)" '//doc:all	its command changed: "docs/n.txt" is new' "and why is told"
rm -r .tenon/out
build_ok
is "$(ran)" "" "outputs that were removed come from the store"

# Programs.
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run //tools:count doc/license.txt
is "$CODE $(cat "$T_OUT")" "0 $(wc -w <doc/license.txt)" "run passes arguments"
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run //tools:count-license /dev/null
is "$CODE" 7 "an alias has arguments and environment; run passes the exit code"
(cd doc && "$TENON" run ../tools:count 2>&1) >/dev/null
not_ok "what cannot be run is refused" "$TENON" run //doc:all
(cd doc && "$TENON" build :upper) 2>"$T_ERR"
is $? 0 "a label without a folder is one of the folder that one stands in"

# Looking.
tenon targets
is "$(stdout | wc -l) $(stdout | grep -c '^//doc:')" "7 4" "targets lists all"
tenon query 'deps(//doc:words) ^ kind(export-file, //...)'
is "$(stdout | tr '\n' ' ')" "//doc:license //tools:count " "query asks the graph of targets"

# http, on this machine.
"$PYTHON" - "$T_WORK/port" mirror <<'END' &
import functools, http.server, os, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[2])
server = http.server.HTTPServer(("127.0.0.1", 0), handler)
with open(sys.argv[1] + ".new", "w") as f:
    f.write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.handle_request()
server.handle_request()
END
server=$!
while [ ! -f "$T_WORK/port" ] && kill -0 $server; do :; done
port=$(cat "$T_WORK/port")
echo "(remote-file :name \"h\" :urls [\"http://127.0.0.1:$port/absent.jar\" \"http://127.0.0.1:$port/commons-lang3.jar\"]
  :sha256 \"$sum\" :out \"h.jar\")" >>BUILD
build_ok //:h
wait $server
same_file mirror/commons-lang3.jar $out/h.jar "a file comes over http, from the second place that has it"
done_testing
