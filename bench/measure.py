"""Running a command and all that it starts: wall time, CPU time of the whole tree, memory, leftovers."""
import ctypes
import os
import signal
import statistics
import subprocess
import threading
import time

PR_SET_CHILD_SUBREAPER = 36
CGROUP_V1 = "/sys/fs/cgroup/cpuacct"
CGROUP_V2 = "/sys/fs/cgroup"


class Result:
    """What came of one command. Times in seconds, memory in bytes."""

    def __init__(self):
        self.code = None
        self.wall = 0.0
        self.cpu = 0.0
        self.cpu_rusage = 0.0
        self.timed_out = False
        self.out = b""
        self.err = b""
        self.host_peak = 0
        self.tree_peak = 0
        self.processes_peak = 0
        self.strays = []


def become_subreaper():
    """Orphans below us become our children, so that every process of a tree is waited for and accounted."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class Accounting:
    """CPU time of a set of processes, by a control group where one can be made, else by what was waited for."""

    counter = 0

    def __init__(self):
        Accounting.counter += 1
        name = "tenon-bench-%d-%d" % (os.getpid(), Accounting.counter)
        self.folder = None
        for top in (CGROUP_V1, CGROUP_V2):
            folder = os.path.join(top, name)
            try:
                os.mkdir(folder)
            except OSError:
                continue
            if any(os.path.exists(os.path.join(folder, f)) for f in ("cpuacct.usage", "cpu.stat")):
                self.folder = folder
                break
            os.rmdir(folder)

    def enter(self):
        """Called in the child between fork and exec."""
        if self.folder:
            with open(os.path.join(self.folder, "cgroup.procs"), "w") as f:
                f.write(str(os.getpid()))

    def seconds(self):
        if not self.folder:
            return None
        try:
            with open(os.path.join(self.folder, "cpuacct.usage")) as f:
                return int(f.read()) / 1e9
        except FileNotFoundError:
            with open(os.path.join(self.folder, "cpu.stat")) as f:
                return int(f.readline().split()[1]) / 1e6

    def close(self):
        if self.folder:
            try:
                os.rmdir(self.folder)
            except OSError:
                pass


def accounting_method():
    a = Accounting()
    a.close()
    return "control group " + os.path.dirname(a.folder) if a.folder else "resource usage of all processes waited for"


def descendants(pid):
    """Process ids below `pid`, itself excluded."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry) as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def proc_kb(path, key):
    try:
        with open(path) as f:
            for line in f:
                if line.startswith(key):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def watch_memory(pid, result, stop):
    """Samples the host's high-water mark and the summed proportional set of the tree below it."""
    while not stop.wait(0.2):
        result.host_peak = max(result.host_peak, proc_kb("/proc/%d/status" % pid, "VmHWM:"))
        below = descendants(pid)
        total = sum(proc_kb("/proc/%d/smaps_rollup" % p, "Pss:") for p in below)
        result.tree_peak = max(result.tree_peak, total)
        result.processes_peak = max(result.processes_peak, len(below))


def reap_orphans(result, grace):
    """Waits for what the command left behind; what is still there after `grace` seconds is noted and ended."""
    deadline = time.monotonic() + grace
    killed = False
    while True:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid:
            result.cpu_rusage += usage.ru_utime + usage.ru_stime
            continue
        if time.monotonic() > deadline and not killed:
            for stray in descendants(os.getpid()):
                try:
                    with open("/proc/%d/cmdline" % stray, "rb") as f:
                        line = f.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                    result.strays.append("%d %s" % (stray, line))
                    os.kill(stray, signal.SIGKILL)
                except OSError:
                    pass
            killed = True
        time.sleep(0.002)


def run(argv, env=None, cwd=None, timeout=None, memory=False, grace=60):
    """Runs one command to its end. Not for several at once in one process: it waits for every child."""
    result = Result()
    accounting = Accounting()
    out_r = os.memfd_create("out")
    err_r = os.memfd_create("err")
    start = time.monotonic()
    child = subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out_r, stderr=err_r,
                             preexec_fn=accounting.enter, start_new_session=True)
    stop, watcher, timer = threading.Event(), None, None
    if memory:
        watcher = threading.Thread(target=watch_memory, args=(child.pid, result, stop), daemon=True)
        watcher.start()
    if timeout:
        def give_up():
            result.timed_out = True
            os.killpg(child.pid, signal.SIGKILL)
        timer = threading.Timer(timeout, give_up)
        timer.daemon = True
        timer.start()
    _, status, usage = os.wait4(child.pid, 0)
    result.wall = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if timer:
        timer.cancel()
    result.code = child.returncode
    result.cpu_rusage = usage.ru_utime + usage.ru_stime
    reap_orphans(result, 0 if result.timed_out else grace)
    stop.set()
    if watcher:
        watcher.join()
    cpu = accounting.seconds()
    result.cpu = result.cpu_rusage if cpu is None else cpu
    accounting.close()
    for fd, name in ((out_r, "out"), (err_r, "err")):
        os.lseek(fd, 0, os.SEEK_SET)
        with os.fdopen(fd, "rb") as f:
            setattr(result, name, f.read())
    return result


def median(values):
    return statistics.median(values) if values else float("nan")


def spread(values):
    """Median with its range, for a table."""
    return "%.2f (%.2f-%.2f)" % (median(values), min(values), max(values)) if values else "-"


def counts(values):
    """Median with its range, of whole numbers."""
    return "%g (%d-%d)" % (median(values), min(values), max(values)) if values else "-"
