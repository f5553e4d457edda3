"""Real Clojure projects for bench/clojure.py: made of Debian's packages, nothing of which is kept.

A project is a folder with src/, resources/ and lib/ (jars), and a WORKSPACE beside them. instaparse, core.async and all
(every library here that comes as source, as one project of over 100 namespaces) are the sources in Debian's jars, with
what else is in these jars as libraries. puppetdb is a program of 78 namespaces, as its package has it, with the
libraries that its manifest names, most of which are source as well."""
import os
import shutil
import subprocess
import zipfile

JARS = "/usr/share/java/"
CLOJURE = ["clojure.jar", "core.specs.alpha.jar", "spec.alpha.jar"]
LIBRARIES = {
    "instaparse": ["instaparse"],
    "core.async": ["core.async", "tools.analyzer", "tools.analyzer.jvm", "tools.reader", "core.memoize", "core.cache",
                   "data.priority-map"],
}
LIBRARIES["all"] = LIBRARIES["core.async"] + [
    "instaparse", "hiccup", "medley", "nrepl", "core.match", "tools.cli", "tools.namespace", "java.classpath", "tools.macro",
    "tools.logging", "data.json", "data.csv", "data.xml", "math.combinatorics", "test.check", "honeysql", "potemkin", "riddley",
    "clj-tuple", "specter", "prismatic-schema", "schema", "plumbing", "encore", "truss", "nippy", "ring-core", "ring-codec",
    "clout", "compojure", "stencil", "scout", "quoin", "slingshot", "cheshire", "clj-time"]
NAMES = ["instaparse", "core.async", "all", "puppetdb"]


def is_source(entry):
    return entry.endswith((".clj", ".cljc")) and not entry.startswith(("META-INF/", "project.clj", "data_readers"))


def extract(path, folder):
    """The sources of a jar into folder/src; the rest as a jar of the same name in folder/lib."""
    with zipfile.ZipFile(path) as z, zipfile.ZipFile(os.path.join(folder, "lib", os.path.basename(path)), "w") as rest:
        # Some come compiled as well.
        compiled = any(n.endswith("__init.class") for n in z.namelist())
        for entry in z.namelist():
            if is_source(entry):
                z.extract(entry, os.path.join(folder, "src"))
            elif not entry.endswith(("/", ".class") if compiled else "/") and not entry.startswith("META-INF/"):
                rest.writestr(zipfile.ZipInfo(entry), z.read(entry))


def of_libraries(names, folder):
    for name in names:
        if os.path.exists(JARS + name + ".jar"):
            extract(os.path.realpath(JARS + name + ".jar"), folder)
    for name in CLOJURE + ["asm.jar"]:
        if os.path.exists(JARS + name):
            shutil.copy(JARS + name, os.path.join(folder, "lib"))


def named_by(jar, found):
    """The jars that a manifest names, and that these name."""
    with zipfile.ZipFile(jar) as z:
        text = z.read("META-INF/MANIFEST.MF").decode() if "META-INF/MANIFEST.MF" in z.namelist() else ""
    for line in text.replace("\r\n", "\n").replace("\n ", "").split("\n"):
        for name in line.split()[1:] if line.startswith("Class-Path:") else []:
            path = os.path.realpath(os.path.join(os.path.dirname(jar), name.replace("file://", "")))
            if path not in found and os.path.exists(path):
                found.append(path)
                named_by(path, found)


def puppetdb(folder):
    where = os.path.join(folder, "package")
    os.makedirs(where)
    subprocess.run(["apt-get", "download", "-q", "puppetdb"], cwd=where, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    subprocess.run(["sh", "-c", "dpkg-deb -x *.deb ."], cwd=where, check=True)
    jar = os.path.join(where, "usr/share/puppetdb/puppetdb.jar")
    found = []
    named_by(jar, found)
    for path in found + [os.path.realpath(JARS + n) for n in CLOJURE]:
        shutil.copy(path, os.path.join(folder, "lib"))
    with zipfile.ZipFile(jar) as z:
        for entry in z.namelist():
            if is_source(entry):
                z.extract(entry, os.path.join(folder, "src"))
            elif not entry.endswith(("/", ".class")) and not entry.startswith("META-INF/"):
                z.extract(entry, os.path.join(folder, "resources"))
    shutil.rmtree(where)


def make(name, folder):
    """Makes the project, with its targets; the paths of its jars."""
    for part in ("src", "resources", "lib"):
        os.makedirs(os.path.join(folder, part))
    if name == "puppetdb":
        puppetdb(folder)
    else:
        of_libraries(LIBRARIES[name], folder)
    open(os.path.join(folder, "WORKSPACE"), "w").close()
    names = sorted(os.listdir(os.path.join(folder, "lib")))
    with open(os.path.join(folder, "lib", "BUILD"), "w") as f:
        for n in names:
            f.write('(jar :name "%s" :jar "%s" :visibility ["PUBLIC"])\n' % (n[:-4], n))
    with open(os.path.join(folder, "BUILD"), "w") as f:
        f.write('(clj-lib :name "lib" :srcs ["src/**/*.{clj,cljc}"] :source-roots ["src"] :skip-incomplete true\n'
                '  :resources (glob "resources/**" :allow-empty true)\n'
                '  :deps [%s])\n' % " ".join('"//lib:%s"' % n[:-4] for n in names))
    return [os.path.join(folder, "lib", n) for n in names]
