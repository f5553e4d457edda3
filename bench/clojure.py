#!/usr/bin/python3
"""Measures builds of Clojure beside clojure.core/compile in one JVM, in one run.

    bench/clojure.py [--rounds N] [--jobs N] [PROJECT...]

Projects are made of the sources in Debian's jars: instaparse, core.async (with what it is made of), all (every library
that its package brings as source: over 100 namespaces). TENON is the program (build/tenon). For each project: a cold
build (no result of the project in the store; the worker and the classes of libraries are there), the same in one JVM, the second build, an edit of one namespace, and whether classes are the same from another folder in another
order. Medians of whole processes; the one JVM compiles
the namespaces that no other needs, which pull in the rest, as Leiningen does with :aot :all."""
import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
TENON = os.path.abspath(os.environ.get("TENON", os.path.join(HERE, "..", "build", "tenon")))
JARS = "/usr/share/java/"
CLOJURE = [JARS + n for n in ("clojure.jar", "core.specs.alpha.jar", "spec.alpha.jar")]
SMALL = {"instaparse": ["instaparse"],
         "core.async": ["core.async", "tools.analyzer", "tools.analyzer.jvm", "tools.reader", "core.memoize", "core.cache",
                        "data.priority-map"]}
ALL = SMALL["core.async"] + ["instaparse", "hiccup", "medley", "nrepl", "core.match", "tools.cli", "tools.namespace",
                             "java.classpath", "tools.macro", "tools.logging", "data.json", "data.csv", "data.xml",
                             "math.combinatorics", "test.check", "honeysql", "potemkin", "riddley", "clj-tuple", "specter",
                             "prismatic-schema", "schema", "plumbing", "encore", "truss", "nippy", "ring-core", "ring-codec",
                             "clout", "compojure", "stencil", "scout", "quoin", "slingshot", "cheshire", "clj-time"]


def sources(project, folder):
    names = ALL if project == "all" else SMALL[project]
    resources = []
    for name in names:
        path = JARS + name + ".jar"
        if not os.path.exists(path):
            continue
        resources.append(os.path.realpath(path))
        with zipfile.ZipFile(path) as z:
            for entry in z.namelist():
                if entry.endswith((".clj", ".cljc")) and not entry.startswith(("META-INF/", "project.clj", "data_readers")):
                    z.extract(entry, os.path.join(folder, "src"))
    return resources


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def workspace(project, folder):
    """A workspace whose libraries are the same jars without their Clojure sources."""
    os.makedirs(os.path.join(folder, "lib"))
    open(os.path.join(folder, "WORKSPACE"), "w").close()
    jars = CLOJURE + [JARS + "asm.jar"]
    for jar in sources(project, folder):
        bare = os.path.join(folder, "lib", os.path.basename(jar))
        with zipfile.ZipFile(jar) as z, zipfile.ZipFile(bare, "w") as out:
            # Some come compiled as well.
            drop = (".clj", ".cljc", "/")
            if any(n.endswith("__init.class") for n in z.namelist()):
                drop += (".class",)
            for entry in z.namelist():
                if not entry.endswith(drop) and not entry.startswith("META-INF/"):
                    out.writestr(zipfile.ZipInfo(entry), z.read(entry))
    for jar in jars:
        if os.path.exists(jar):
            shutil.copy(jar, os.path.join(folder, "lib"))
    names = sorted(os.listdir(os.path.join(folder, "lib")))
    with open(os.path.join(folder, "lib", "BUILD"), "w") as f:
        for name in names:
            f.write('(jar :name "%s" :jar "%s" :visibility ["PUBLIC"])\n' % (name[:-4], name))
    with open(os.path.join(folder, "BUILD"), "w") as f:
        f.write('(clj-lib :name "lib" :srcs ["src/**/*.{clj,cljc}"] :source-roots ["src"] :skip-incomplete true\n'
                '  :deps [%s])\n' % " ".join('"//lib:%s"' % n[:-4] for n in names))
    return [os.path.join(folder, "lib", n) for n in names]


def timed(argv, **options):
    start = time.monotonic()
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    return time.monotonic() - start, p.returncode, p.stdout.decode("utf-8", "replace")


def tenon(folder, store, *more):
    log = os.path.join(folder, "log.json")
    seconds, code, out = timed([TENON, "-C", folder, "build", "//:lib", "-k", "--store=" + store, "--log=" + log] + list(more))
    ran = []
    if os.path.exists(log):
        with open(log) as f:
            for line in f:
                e = json.loads(line)
                if e.get("outcome") == "ran" and "(" in e.get("label", ""):
                    ran.append(e["label"].split("(")[1].rstrip(")"))
    return seconds, code, out, ran


def one_jvm(folder, jars, order):
    classes = os.path.join(folder, "classes")
    shutil.rmtree(classes, ignore_errors=True)
    os.makedirs(classes)
    form = "(binding [*compile-path* %s] (doseq [n '[%s]] (when-not (contains? (loaded-libs) n) (compile n)))) (shutdown-agents)" % (json.dumps(classes), " ".join(reversed(order)))
    script = os.path.join(folder, "compile.clj")
    with open(script, "w") as f:
        f.write(form)
    seconds, code, out = timed(["java", "-cp", ":".join([classes, os.path.join(folder, "src")] + jars), "clojure.main", script])
    if code:
        print("  one JVM: " + next((l for l in out.splitlines() if "xception" in l or "rror" in l), out)[:200])
    return seconds if code == 0 else None


def classes(folder):
    top = os.path.join(folder, ".tenon/out/default/lib.classes")
    return {os.path.relpath(os.path.join(d, n), top): digest(os.path.join(d, n)) for d, _, names in os.walk(top) for n in names}


def shown(values):
    values = [v for v in values if v is not None]
    return "%.2f s" % statistics.median(values) if values else "-"


def measure(project, args, top):
    folder = os.path.join(top, project)
    jars = workspace(project, folder)
    base = os.path.join(top, project + "-base")
    store = os.path.join(top, project + "-store")
    first, _, out, order = tenon(folder, store, "-j1", "--strategy=serial")
    if not order:
        sys.exit("bench/clojure.py: %s does not build:\n%s" % (project, out[-2000:]))
    print("%s: %d namespaces, %d that don't compile here" % (project, len(order), out.count("failed //:lib (")))
    cold, jvm, second, edit, again = [], [], [], [], []
    for _ in range(args.rounds):
        jvm.append(one_jvm(folder, jars, order))
        forget(store)
        for name in ("out", "state"):
            shutil.rmtree(os.path.join(folder, ".tenon", name), ignore_errors=True)
        cold.append(tenon(folder, store, "-j%d" % args.jobs)[0])
        second += [tenon(folder, store, "-j%d" % args.jobs)[0] for _ in range(5)]
        largest = max((os.path.join(d, n) for d, _, names in os.walk(os.path.join(folder, "src")) for n in names),
                      key=os.path.getsize)
        with open(largest, "a") as f:
            f.write("\n;; edited\n")
        seconds, _, _, ran = tenon(folder, store, "-j%d" % args.jobs)
        edit.append(seconds)
        again.append(len(ran))
    elsewhere = os.path.join(top, "elsewhere", project)
    shutil.copytree(folder, elsewhere, ignore=shutil.ignore_patterns(".tenon"))
    tenon(elsewhere, os.path.join(top, project + "-other"), "-j1", "--strategy=serial")
    a, b = classes(folder), classes(elsewhere)
    differ = sorted(k for k in set(a) | set(b) if a.get(k) != b.get(k))
    print("  -j1, with nothing at all in the store: %.2f s" % first)
    print("  one JVM, clojure.core/compile: %s" % shown(jvm))
    print("  tenon -j%d, cold: %s%s" % (args.jobs, shown(cold), ", %.1f x" % (statistics.median(jvm) / statistics.median(cold))
                                        if jvm[0] else ""))
    print("  second build: %s (best %.0f ms)" % (shown(second), min(second) * 1000))
    print("  a comment in the largest file: %s, %d compiled" % (shown(edit), again[0]))
    print("  classes: %d, of other bytes from another folder, serially: %d %s" % (len(a), len(differ), " ".join(differ[:5])))


def forget(store):
    """Takes the project's own results out of a store; the worker and the classes of libraries stay."""
    for d, _, names in os.walk(os.path.join(store, "ac")):
        for n in names:
            with open(os.path.join(d, n), "rb") as f:
                mine = b"//:lib" in f.read()
            if mine:
                os.remove(os.path.join(d, n))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="*", default=["instaparse", "core.async", "all"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()
    top = tempfile.mkdtemp(prefix="bench-clojure-")
    try:
        print("%d cores, load %s" % (len(os.sched_getaffinity(0)), os.getloadavg()[0]))
        for project in args.projects:
            measure(project, args, top)
    finally:
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()
