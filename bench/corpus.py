#!/usr/bin/python3
"""Every system of the installed Debian packages, built by ASDF, each in a fresh process.

    corpus.py --table FILE [--jobs N] [--timeout S] [--only SYSTEM...]

The table has a line for each system: name, "ok" or "fail", seconds, seconds of CPU, why it failed. Each of the N workers
has a cache of its own for all systems that it builds: ASDF's processes can't share one while they write to it. So the
times add up to what all systems take only with one worker."""
import argparse
import collections
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import asdf  # noqa: E402

Row = collections.namedtuple("Row", "status seconds cpu why")  # status: "ok" or "fail"


def build_one(fasl, name, env, folder, timeout):
    """A Row."""
    result = os.path.join(folder, "result")
    log = os.path.join(folder, "log")
    if os.path.exists(result):
        os.unlink(result)
    start = time.monotonic()
    with open(log, "wb") as out:
        child = subprocess.Popen(asdf.newest_command(fasl, '(tenon-bench:build "%s" "%s")' % (result, name)), env=env,
                                 cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 start_new_session=True)
        late = threading.Event()

        def give_up():
            late.set()
            os.killpg(child.pid, signal.SIGKILL)
        timer = threading.Timer(timeout, give_up)
        timer.start()
        _, status, usage = os.wait4(child.pid, 0)  # the usage has what the process itself waited for
        timer.cancel()
        code = child.returncode = os.waitstatus_to_exitcode(status)
        why = "no end after %d s" % timeout if late.is_set() else ""
    seconds, cpu = time.monotonic() - start, usage.ru_utime + usage.ru_stime
    try:
        with open(result, encoding="utf-8") as f:
            told = f.read().strip()
    except OSError:
        told = ""
    if code == 0 and told == "ok":
        return Row("ok", seconds, cpu, "")
    with open(log, "rb") as f:
        detail = asdf.complaint(f.read())
    return Row("fail", seconds, cpu, why or " | ".join(x for x in (told or "ended with code %d" % code, detail) if x))


def worker(tasks, rows, fasl, folder, timeout):
    env = asdf.environment(folder)
    while True:
        try:
            name = tasks.get_nowait()
        except queue.Empty:
            return
        rows[name] = build_one(fasl, name, env, folder, timeout)
        row = rows[name]
        sys.stderr.write("%s %s %.1f %.1f %s\n" % (row.status, name, row.seconds, row.cpu, row.why))


def build_all(names, fasl, folder, jobs, timeout):
    """{name: Row}."""
    tasks, rows = queue.Queue(), {}
    for name in names:
        tasks.put(name)
    threads = []
    for i in range(jobs):
        mine = os.path.join(folder, "worker-%d" % i)
        os.makedirs(mine, exist_ok=True)
        threads.append(threading.Thread(target=worker, args=(tasks, rows, fasl, mine, timeout)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return rows


def write_table(path, rows):
    with open(path, "w", encoding="utf-8") as f:
        for name in sorted(rows):
            row = rows[name]
            f.write("%s\t%s\t%.2f\t%.2f\t%s\n" % (name, row.status, row.seconds, row.cpu, row.why))


def read_table(path):
    rows = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            name, status, seconds, cpu, why = line.rstrip("\n").split("\t")
            rows[name] = Row(status, float(seconds), float(cpu), why)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", required=True)
    parser.add_argument("--jobs", type=int, default=min(3, os.cpu_count() or 1))
    parser.add_argument("--timeout", type=int, default=300)
    parser.add_argument("--only", nargs="*")
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="tenon-corpus-")
    try:
        fasl = asdf.newest_fasl(folder)
        names = args.only or [name for name, _ in asdf.systems(folder, fasl)]
        rows = build_all(names, fasl, folder, args.jobs, args.timeout)
        write_table(args.table, rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    good = sum(1 for row in rows.values() if row.status == "ok")
    print("%d systems: ASDF builds %d, not %d" % (len(rows), good, len(rows) - good))


if __name__ == "__main__":
    main()
