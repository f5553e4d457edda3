#!/usr/bin/python3
"""Measures uberjars beside jar and zip, in one run.

    bench/jars.py [--rounds N] JAR...

The jars are the dependencies (without any: all of Debian's in /usr/share/java); the application is a folder of 100
small classes' worth of bytes. JAR_TOOL is the program (build/jar). Each line: median seconds of whole processes."""
import argparse
import glob
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOOL = os.environ.get("JAR_TOOL", os.path.join(HERE, "..", "build", "jar"))


def median(rounds, argv, cwd=None, remove=None):
    times = []
    for _ in range(rounds):
        if remove and os.path.exists(remove):
            os.remove(remove)
        start = time.monotonic()
        subprocess.run(argv, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
        times.append(time.monotonic() - start)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jars", nargs="*", metavar="JAR")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    jars = args.jars or sorted({os.path.realpath(p) for p in glob.glob("/usr/share/java/*.jar")})
    threads = str(len(os.sched_getaffinity(0)))
    top = tempfile.mkdtemp(prefix="bench-jars")
    try:
        app, flat = os.path.join(top, "app"), os.path.join(top, "flat")
        os.makedirs(os.path.join(app, "app"))
        rng = random.Random(1)
        words = [bytes(rng.randrange(256) for _ in range(6)) for _ in range(200)]
        for i in range(100):
            with open(os.path.join(app, "app", "f%d.class" % i), "wb") as f:
                f.write(b"".join(rng.choice(words) for _ in range(400)))
        plain, layer, by_layer = (os.path.join(top, n) for n in ("plain.jar", "layer.jar", "by-layer.jar"))
        lines = [("tenon, from all jars, checked", median(args.rounds, [TOOL, plain, threads, "", app] + jars))]
        lines.append(("tenon, the layer of dependencies (once)", median(args.rounds, [TOOL, layer, threads, ""] + jars)))
        lines.append(("tenon, rewritten over the layer", median(args.rounds, [TOOL, by_layer, threads, "", app, "+" + layer])))
        with open(plain, "rb") as a, open(by_layer, "rb") as b:
            if a.read() != b.read():
                sys.exit("bench/jars.py: the layer changes the bytes")
        with zipfile.ZipFile(plain) as z:
            z.extractall(flat)
            entries = len(z.namelist())
        lines.append(("tenon, all packed afresh", median(args.rounds, [TOOL, by_layer, threads, "", flat])))
        lines.append(("jar cf", median(args.rounds, ["jar", "cf", os.path.join(top, "j.jar"), "-C", flat, "."])))
        out = os.path.join(top, "z.zip")
        lines.append(("zip -r", median(args.rounds, ["zip", "-qr", out, "."], cwd=flat, remove=out)))
        print("%d jars, %d entries, %.1f MB; %s threads; medians of %d" % (
            len(jars), entries, os.path.getsize(plain) / 1e6, threads, args.rounds))
        for name, seconds in lines:
            print("%-42s %7.3f s" % (name, seconds))
    finally:
        shutil.rmtree(top)


if __name__ == "__main__":
    main()
