#!/bin/bash
# Workers that stay: Bazel's JSON protocol, and programs that do not keep to it.
# seconds: 10
. "$(dirname "$0")/lib.sh"
need python3

touch WORKSPACE
cat >worker.py <<'END'
#!/usr/bin/python3
# Counts lines: `worker.py [--mode M] --persistent_worker`; a request is OUT FILE...
import json, os, sys
assert sys.argv[-1] == "--persistent_worker", sys.argv
mode = sys.argv[sys.argv.index("--mode") + 1] if "--mode" in sys.argv else ""
asked = 0
for line in sys.stdin:
    request = json.loads(line)
    asked += 1
    if mode == "rubbish":
        print("Hello, I am \x1b[31mnot a worker\x1b[0m")
        sys.stdout.flush()
        continue
    if mode == "dies":
        print("no more memory", file=sys.stderr)
        sys.exit(3)
    if mode == "hangs":
        import time
        time.sleep(1000)
    if mode == "refuses":
        print(json.dumps({"exitCode": 2, "output": "I will not", "requestId": 0}), flush=True)
        continue
    out, *files = request["arguments"]
    assert sorted(i["path"] for i in request["inputs"] if i["path"].endswith(".txt")) == sorted(files), request
    assert all(len(i["digest"]) == 64 for i in request["inputs"])
    with open(out, "w") as f:
        for name in files:
            f.write("%s %d by request %s of %d\n" % (name, len(open(name).readlines()),
                                                     "many" if asked > 1 else "1", os.getpid() and 1))
    print(json.dumps({"exitCode": 0, "output": "counted", "requestId": request["requestId"]}), flush=True)
END
chmod +x worker.py
for i in 1 2 3 4 5; do seq $i >f$i.txt; done
workspace() { # MODE
	{
		echo '(export-file :name "program" :src "worker.py" :out "program.py")'
		echo "(worker-tool :name \"counter\" :exe \":program\" :args [$1])"
		for i in 1 2 3 4 5; do
			echo "(genrule :name \"c$i\" :srcs [\"f$i.txt\"] :out \"c$i.out\" :worker \":counter\" :cmd \"\$OUT \$SRCS\")"
		done
	} >BUILD
}

workspace ""
build_ok -j4
expect_ran 6
out=.tenon/out/default
is "$(cut -d' ' -f1,2 $out/c?.out | tr '\n' ' ')" \
	"src/f1.txt 1 src/f2.txt 2 src/f3.txt 3 src/f4.txt 4 src/f5.txt 5 " "the worker did what it was asked"
is "$(grep -c 'request many' $out/c?.out | cut -d: -f2 | paste -sd+ | "$PYTHON" -c 'print(eval(input()))')" 4 \
	"one process took all five requests"
echo "# changed" >>worker.py
build_ok
expect_ran 6

workspace '"--mode" "rubbish"'
expect_fail 1 build //:c1
like "$(diagnostics)" '//:c1 failed: the worker "//:counter" wrote to its standard output what is no answer to a request: "Hello, I am \?\[31mnot a worker' \
	"rubbish on standard output: the worker is named, the text quoted"
workspace '"--mode" "dies"'
expect_fail 1 build -k
like "$(diagnostics)" 'failed: the worker "//:counter" ended with exit code 3' "a worker that dies"
like "$(diagnostics)" 'no more memory' "what it said is shown"
is "$(logged "$T_LOG" failed | wc -l)" 5 "each request gets a new one"
workspace '"--mode" "hangs"'
expect_fail 1 build --timeout 1 //:c1
like "$(diagnostics)" 'the worker "//:counter" took longer than 1 s for a request and was ended' "a worker that hangs"
workspace '"--mode" "refuses"'
expect_fail 1 build //:c1
like "$(diagnostics)" 'the worker "//:counter" says exit code 2' "a request that fails"
like "$(diagnostics)" 'I will not' "with what the worker says"
workspace ""
build_ok
done_testing
