#!/usr/bin/python3
"""Answers questions about a structured log (JSON lines).

    log.py LOG ran|cached|current|failed|skipped   the labels of actions that ended so, sorted, each once
    log.py LOG started                             the labels of actions that were started, sorted, as often as started
    log.py LOG count EVENT                         how many events of that kind
    log.py LOG outcome                             the build's outcome
    log.py LOG diagnostics                         severity, kind, file name, line, column, message: tabs between
    log.py LOG reasons                             label, reason of every action that was started
    log.py LOG hints | texts                       hints of diagnostics | texts of notes
    log.py LOG lax                                 label, "lax", what it lacked, of actions that got more than declared
    log.py LOG whole                               "ok" if every start has its finish and times never go back
"""
import json
import os
import sys


def read(path):
    events = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            events.append(json.loads(line))
    return events


def labels(events, outcome):
    return sorted({e["label"] for e in events if e["event"] == "action-finish" and e["outcome"] == outcome})


def diagnostics(events):
    for e in events:
        if e["event"] == "diagnostic":
            yield "\t".join([e["severity"], e.get("kind", ""), os.path.basename(e.get("path", "")),
                             str(e.get("line", "")), str(e.get("column", "")),
                             " ".join(e.get("message", "").split())])


def whole(events):
    last, open_ids = 0, {}
    for e in events:
        if e["ns"] < last:
            return "time goes back at %s" % json.dumps(e)
        last = e["ns"]
        kind, _, end = e["event"].rpartition("-")
        if end == "start":
            open_ids[kind, e.get("id")] = e
        elif end == "finish" and e.get("id"):
            if (kind, e["id"]) not in open_ids:
                return "a finish without a start: %s" % json.dumps(e)
            del open_ids[kind, e["id"]]
    return "never finished: %s" % json.dumps(list(open_ids.values())) if open_ids else "ok"


def main():
    events, what = read(sys.argv[1]), sys.argv[2]
    if what in ("ran", "cached", "current", "failed", "skipped"):
        answer = labels(events, what)
    elif what == "started":
        answer = sorted(e["label"] for e in events if e["event"] == "action-start")
    elif what == "count":
        answer = [str(sum(1 for e in events if e["event"] == sys.argv[3]))]
    elif what == "outcome":
        answer = [e["outcome"] for e in events if e["event"] == "build-finish"]
    elif what == "diagnostics":
        answer = list(diagnostics(events))
    elif what == "reasons":
        answer = ["%s\t%s" % (e["label"], e.get("reason", "")) for e in events if e["event"] == "action-start"]
    elif what == "hints":
        answer = [e["hint"] for e in events if e["event"] == "diagnostic" and "hint" in e]
    elif what == "texts":
        answer = [e.get("text", "") for e in events if e["event"] == "note"]
    elif what == "lax":
        answer = ["%s\t%d\t%s" % (e["label"], e["lax"], ", ".join(e["missed"])) for e in events if e.get("lax")]
    elif what == "whole":
        answer = [whole(events)]
    else:
        sys.exit(__doc__)
    sys.stdout.write("".join(line + "\n" for line in answer))


if __name__ == "__main__":
    main()
