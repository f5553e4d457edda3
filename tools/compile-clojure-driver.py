"""Compiles the Clojure driver, and the specs that come as source, for one Clojure: OUTPUT DRIVERS JAR...

OUTPUT is a zip of classes; META-INF/clojure in it names the jars by their digests, a line each: with these very jars a
worker's jar is made of them (src/exec/jvm_toolchain.c), with others the driver is compiled where it is used."""
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile

OLDEST_JAVA = "17"


def main():
    output, drivers, jars = sys.argv[1], sys.argv[2], sys.argv[3:]
    with tempfile.TemporaryDirectory() as top:
        classes, sources = os.path.join(top, "classes"), os.path.join(top, "sources")
        os.mkdir(classes)
        os.mkdir(sources)
        os.symlink(os.path.abspath(drivers), os.path.join(sources, "tenon"))
        java = sorted(os.path.join(drivers, n) for n in os.listdir(drivers) if n.endswith(".java") and n[0] != ".")
        subprocess.run(["javac", "-nowarn", "-proc:none", "-encoding", "UTF-8", "--release", OLDEST_JAVA, "-d", classes,
                        "-cp", ":".join(jars)] + java, check=True)
        subprocess.run(["java", "-XX:TieredStopAtLevel=1", "-cp", ":".join([sources, classes] + jars), "clojure.main",
                        "-m", "tenon.aot", classes, "tenon.worker", "tenon.tests"], check=True)
        digests = "".join(hashlib.sha256(open(jar, "rb").read()).hexdigest() + "\n" for jar in jars)
        files = sorted(os.path.join(d, n) for d, _, names in os.walk(classes) for n in names)
        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as z:
            z.writestr(zipfile.ZipInfo("META-INF/clojure"), digests)
            for path in files:
                with open(path, "rb") as f:
                    z.writestr(zipfile.ZipInfo(os.path.relpath(path, classes)), f.read(), zipfile.ZIP_DEFLATED)


main()
