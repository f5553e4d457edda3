#!/usr/bin/python3
"""Runs a command as the parent of all that it starts, and tells what it left behind.

    guard.py [--strays FILE] [--pid FILE] [--grace SECONDS] [--kill-at LINES LOG] -- COMMAND...

Orphans become children of this process. What is still alive GRACE seconds after the command's end is a stray: it is
listed in FILE (else on standard error, with exit code 98) and killed. --kill-at kills the command with SIGKILL as soon
as its log LOG has LINES lines. The exit code is the command's, 128 and the number for a signal."""
import ctypes
import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def children_of(pid):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as f:
                    fields = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry))
    return found


def tree_below(pid):
    found, todo = [], [pid]
    while todo:
        for child in children_of(todo.pop()):
            found.append(child)
            todo.append(child)
    return found


def describe(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return "%d %s" % (pid, f.read().replace(b"\0", b" ").decode("utf-8", "replace").strip())
    except OSError:
        return str(pid)


class Late(Exception):
    pass


def late(_signal, _frame):
    raise Late()


def reap(grace):
    """Waits for orphans; returns those that stay."""
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, grace)
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        return []
    except Late:
        return tree_below(os.getpid())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def kill_all():
    while True:
        for pid in children_of(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def lines_in(path):
    try:
        with open(path, "rb") as f:
            return f.read().count(b"\n")
    except OSError:
        return 0


def kill_when(pid, lines, log):
    """Watches until the log is long enough or the command has ended; a nearer look is not to be had without the
    command's help."""
    fd = os.pidfd_open(pid)
    while not select.select([fd], [], [], 0.001)[0]:
        if lines_in(log) >= lines:
            os.kill(pid, signal.SIGKILL)
            break
    os.close(fd)


def main():
    args, strays_file, pid_file, grace, kill_at = sys.argv[1:], None, None, 60.0, None
    while args and args[0] != "--":
        option = args.pop(0)
        if option == "--strays":
            strays_file = args.pop(0)
        elif option == "--pid":
            pid_file = args.pop(0)
        elif option == "--grace":
            grace = float(args.pop(0))
        elif option == "--kill-at":
            kill_at = int(args.pop(0)), args.pop(0)
        else:
            sys.exit("guard.py: unknown option " + option)
    command = args[1:]
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("guard.py: cannot become a subreaper")
    pid = os.fork()
    if pid == 0:
        try:
            os.execvp(command[0], command)
        except OSError as e:
            print("guard.py: %s: %s" % (command[0], e), file=sys.stderr)
            os._exit(127)
    if pid_file:
        with open(pid_file + ".new", "w") as f:
            f.write(str(pid))
        os.rename(pid_file + ".new", pid_file)
    # A signal to the whole group is the command's matter; a signal to this process alone is handed on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    if kill_at:
        kill_when(pid, kill_at[0], kill_at[1])
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            break
    started = time.monotonic()
    strays = reap(grace)
    code = os.waitstatus_to_exitcode(status)
    code = 128 - code if code < 0 else code
    if strays:
        text = "".join("still there %.0f s after the end: %s\n" % (time.monotonic() - started, describe(p))
                       for p in strays)
        kill_all()
        if strays_file:
            with open(strays_file, "w") as f:
                f.write(text)
        else:
            sys.stderr.write(text)
            code = 98
    sys.exit(code)


if __name__ == "__main__":
    main()
