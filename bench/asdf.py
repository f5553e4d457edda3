"""ASDF as it is: the environment it gets for a fair comparison, and its command lines."""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = "/usr/share/common-lisp/source/"
NEWEST = SOURCES + "cl-asdf/build/asdf.lisp"
SBCL = ["sbcl", "--noinform", "--disable-ldb", "--lose-on-corruption", "--no-sysinit", "--no-userinit",
        "--disable-debugger"]


def environment(home, cache=None):
    """A clean environment below the folder `home`. Debian's own copy of ASDF is excluded: with it in the registry,
    ASDF upgrades itself first, which takes seconds that are none of the systems'."""
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL", "TERM")}
    cache = cache or os.path.join(home, "cache")
    os.makedirs(cache, exist_ok=True)
    env.update(HOME=home, XDG_CACHE_HOME=cache, XDG_CONFIG_HOME=os.path.join(home, "config"),
               XDG_DATA_HOME=os.path.join(home, "data"), TMPDIR=home, LC_ALL="C.UTF-8",
               CL_SOURCE_REGISTRY='(:source-registry (:also-exclude "cl-asdf") (:tree "%s")'
                                  ' :ignore-inherited-configuration)' % SOURCES)
    return env


def load_command(system):
    """The bundled ASDF of the Lisp loads a system, in a fresh process."""
    return SBCL + ["--eval", "(require :asdf)", "--eval", '(asdf:load-system "%s")' % system, "--quit"]


def newest_fasl(folder):
    """Debian's ASDF, compiled once into `folder`; the path of the FASL."""
    if not os.path.exists(NEWEST):
        raise SystemExit("%s is missing: apt-get install cl-asdf" % NEWEST)
    fasl = os.path.join(folder, "asdf-newest.fasl")
    if not os.path.exists(fasl):
        subprocess.run(SBCL + ["--eval", '(handler-bind ((warning #\'muffle-warning)) (let ((*standard-output* '
                               '(make-broadcast-stream))) (compile-file "%s" :output-file "%s")))' % (NEWEST, fasl),
                               "--quit"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return fasl


def newest_command(fasl, form):
    return SBCL + ["--load", fasl, "--load", os.path.join(HERE, "asdf.lisp"), "--eval", form, "--quit"]


def asd_files():
    """Every .asd of the installed packages, cl-asdf's own left out."""
    found = []
    for folder, folders, files in os.walk(SOURCES, followlinks=True):
        if folder == SOURCES and "cl-asdf" in folders:
            folders.remove("cl-asdf")
        folders.sort()
        found += [os.path.join(folder, f) for f in sorted(files) if f.endswith(".asd")]
    return found


def systems(folder, fasl):
    """[(system, .asd)] of everything installed; `folder` is scratch space."""
    listing = os.path.join(folder, "asd-files")
    with open(listing, "w") as f:
        f.write("".join(path + "\n" for path in asd_files()))
    env = environment(os.path.join(folder, "list-home"))
    done = subprocess.run(newest_command(fasl, '(tenon-bench:list-systems "%s")' % listing), env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    rows = [line.split("\t") for line in done.stdout.decode().splitlines() if "\t" in line]
    if not rows:
        raise SystemExit("ASDF listed no systems: %s" % done.stderr.decode()[-2000:])
    return [(name, asd) for name, asd in rows]


def complaint(output):
    """The first error that a compiler reported in `output`, on one line; "" if none."""
    lines = output.decode("utf-8", "replace").splitlines()
    for i, line in enumerate(lines):
        if "caught ERROR:" in line or "READ error" in line:
            text = " ".join(part.strip("; ").strip() for part in lines[i + 1:i + 4])
            return " ".join(text.split())[:240]
    return ""
