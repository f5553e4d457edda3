"""A system of many files that each need the one before: `:serial t`, the habit of the field."""
import os

import asdf
import gen
import measure
import tenon
from report import cores, heading, say, table


def longest(log):
    return max([log.cpu_of[label] for label in log.cpu_of] or [0.0])


def spine(log):
    """Seconds to carry out every distinct step once: what no number of cores takes from a chain."""
    return sum(log.step_least.values())


def part(bench):
    args, units = bench.args, bench.args.serial
    source = bench.folder()
    gen.generate_serial(source, units)
    registry = '(:source-registry (:tree "%s/") :ignore-inherited-configuration)' % source
    theirs, ours, logs = [], {1: [], 2: [], 4: []}, {}
    for _ in range(args.rounds):
        if args.side != "tenon":
            theirs.append(bench.asdf_cold("serial", registry))
        for jobs in ours:
            if args.side == "asdf":
                continue
            place = bench.place()
            place.env["CL_SOURCE_REGISTRY"] = registry
            ours[jobs].append(place.must("build", "-j%d" % jobs, "serial"))
            logs[jobs] = tenon.Log(place.events())
            bench.drop(place.folder)
    heading("serial: %d files, :serial t, from nothing, %d rounds in turn" % (units, args.rounds),
            " ".join(asdf.load_command("serial")), "tenon build -jN serial")
    rows = []
    a_wall = [r.wall for r in theirs]
    if theirs:
        rows.append(["ASDF", measure.spread(a_wall), "%.1f" % measure.median([r.cpu for r in theirs])] + ["-"] * 7)
    one = measure.median([r.wall for r in ours[1]])
    for jobs, runs in ours.items():
        if not runs:
            continue
        wall, log = measure.median([r.wall for r in runs]), logs[jobs]
        total = log.cpu / min(jobs, cores())
        chain = spine(log) + longest(log)
        rows.append(["tenon -j%d" % jobs, measure.spread([r.wall for r in runs]),
                     "%.1f" % measure.median([r.cpu for r in runs]), "%.1f" % log.cpu,
                     "%.2f" % (measure.median(a_wall) / wall) if theirs else "-", "%.2f" % (one / wall),
                     "%.1f" % total, "%.1f" % chain, "%.2f" % (wall / max(total, chain)), log.outcomes.get("ran", 0)])
    table(["", "s", "CPU s", "compile CPU s", "x ASDF", "x -j1", "total / jobs", "steps + longest", "time / bound",
           "actions"], rows)
    say("total / jobs: CPU of the compiles over the cores in use; steps + longest: every distinct step of the images")
    say("once, and the longest compile; the bound is the greater of the two, by the last round's log")
    say()
    bench.drop(source)

