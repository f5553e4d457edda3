"""Every installed system, by ASDF and by tenon: who builds what, and what needed more than the declared way."""
import os
import time

import asdf
import corpus
import tenon
from report import cores, heading, say, table


class One:
    """What came of one system."""

    def __init__(self):
        self.code = None  # of the strict build
        self.lax_code = None  # of the build with --lax, where the strict one failed
        self.why = ""
        self.seconds = 0.0
        self.notes = []
        self.lax = {}  # label -> what it lacked
        self.opaque = {}  # label -> its operation's outputs
        self.whole = {}  # system -> why it can't be taken apart

    def builds(self):
        return 0 in (self.code, self.lax_code)


def plain(text):
    return " ".join(text.decode("utf-8", "replace").split())


def build(place, name, jobs):
    one, start = One(), time.monotonic()
    result = place.run("build", jobs, name, timeout=900)
    one.code = -1 if result.timed_out else result.code
    if result.strays:
        one.why = "left processes: %s; " % ", ".join(result.strays)
    if one.code != 0:
        one.why += "no end after 900 s" if result.timed_out else plain(result.err)[:400]
        lax = place.run("build", "--lax", jobs, name, timeout=900)
        one.lax_code = -1 if lax.timed_out else lax.code
        if one.lax_code != 0:
            one.why += " | with --lax: " + plain(lax.err)[:400]
    one.seconds = time.monotonic() - start
    if os.path.exists(place.log):
        log = tenon.Log(place.events())
        one.notes, one.lax = log.notes, log.lax
    if one.builds():
        for action in tenon.plan(place, name):
            if action["kind"] == "whole":
                one.whole[action["system"]] = action["whole"]
            elif action["kind"] == "opaque":
                one.opaque[action["label"]] = action["outputs"]
    return one


def part(bench, rows):
    """`rows`: ASDF's side, as corpus.build_all gives it."""
    args = bench.args
    good = sorted(name for name, row in rows.items() if row[0] == "ok")
    wanted = sorted(rows) if args.everything else good
    place, results, start = bench.place(), {}, time.monotonic()
    for name in wanted:
        results[name] = build(place, name, "-j%d" % args.jobs)
    wall = time.monotonic() - start
    heading("corpus: %d systems of %d packages; each by ASDF %s in a fresh process; by tenon over one store" %
            (len(rows), len({asd.split("/")[5] for asd in asdf.asd_files()}), bench.asdf_version()),
            "scripts/corpus.sh TABLE", "tenon build -j%d SYSTEM" % args.jobs)
    strict = [n for n in good if results[n].code == 0]
    lax = [n for n in good if results[n].code != 0 and results[n].lax_code == 0]
    lost = [n for n in good if not results[n].builds()]
    beyond = [n for n in wanted if n not in good and results[n].builds()]
    refused = sorted(set(rows) - set(good))
    table(["", "tenon builds", "with --lax only", "tenon fails", "not tried", "all"],
          [["ASDF builds", len(strict), len(lax), len(lost), 0, len(good)],
           ["ASDF fails", len(beyond), "-", len([n for n in wanted if n in refused]) - len(beyond),
            len([n for n in refused if n not in wanted]), len(refused)]])
    say("tenon: %.0f s; ASDF: %.0f s of processes, %d cores" % (wall, sum(row[1] for row in rows.values()), cores()))
    for name in lost:
        say("FAILS: %s: %s" % (name, results[name].why))
    for name in lax:
        say("--lax: %s: %s" % (name, results[name].why))
    wholes, opaques, lacking = {}, {}, {}
    for one in results.values():
        wholes.update(one.whole)
        opaques.update(one.opaque)
        lacking.update(one.lax)
    for name, why in sorted(wholes.items()):
        say("whole: %s: %s" % (name, why))
    for label, outputs in sorted(opaques.items()):
        say("opaque: %s, makes %s" % (label, ", ".join(os.path.basename(path) for path in outputs) or "nothing"))
    for label, missed in sorted(lacking.items()):
        say("lacks declarations: %s: %s" % (label, missed))
    for name in good:
        for note in results[name].notes:
            say("note: %s: %s" % (name, note))
    for name in refused:
        tenons = "" if name not in results else "; tenon builds it" if results[name].builds() else "; tenon: " + results[name].why
        say("ASDF fails: %s: %s%s" % (name, rows[name][2], tenons))
    say()
    bench.drop(place.folder)


def read_or_build(bench):
    if bench.args.asdf_table:
        return corpus.read_table(bench.args.asdf_table)
    folder = bench.folder()
    fasl = asdf.newest_fasl(folder)
    names = [name for name, _ in asdf.systems(folder, fasl)]
    rows = corpus.build_all(names, fasl, folder, min(3, cores()), 300)
    bench.drop(folder)
    return rows
