"""Every installed system, by ASDF and by tenon: who builds what, and what needed more than the declared way."""
import os

import asdf
import corpus
import tenon
from report import heading, say, table


class One:
    """What came of one system."""

    def __init__(self):
        self.code = None  # of the strict build
        self.lax_code = None  # of the build with --lax, where the strict one failed
        self.why = ""
        self.seconds = self.cpu = 0.0  # of the builds alone
        self.actions = 0.0  # CPU of the actions themselves
        self.host_peak = 0  # bytes
        self.notes = []
        self.lax = {}  # label -> what it lacked
        self.opaque = {}  # label -> its operation's outputs
        self.whole = {}  # system -> why it can't be taken apart

    def builds(self):
        return 0 in (self.code, self.lax_code)


def plain(text):
    return " ".join(text.decode("utf-8", "replace").split())


def note_log(one, place):
    """What the log of the last build says."""
    if not os.path.exists(place.log):
        return
    log = tenon.Log(place.events())
    one.notes, one.lax = log.notes, log.lax
    one.actions += log.cpu
    one.host_peak = max(one.host_peak, log.host_peak)


def build(place, name, jobs):
    one = One()
    result = place.run("build", jobs, name, timeout=900)
    one.seconds, one.cpu = result.wall, result.cpu
    one.code = -1 if result.timed_out else result.code
    if result.strays:
        one.why = "left processes: %s; " % ", ".join(result.strays)
    if one.code != 0:
        one.why += "no end after 900 s" if result.timed_out else plain(result.err)[:400]
        note_log(one, place)
        lax = place.run("build", "--lax", jobs, name, timeout=900)
        one.lax_code = -1 if lax.timed_out else lax.code
        one.seconds, one.cpu = one.seconds + lax.wall, one.cpu + lax.cpu
        if one.lax_code != 0:
            one.why += " | with --lax: " + plain(lax.err)[:400]
    note_log(one, place)
    if one.builds():
        for action in tenon.plan(place, name):
            if action["kind"] == "whole":
                one.whole[action["system"]] = action["whole"]
            elif action["kind"] == "opaque":
                one.opaque[action["label"]] = action["outputs"]
    return one


def at_once(bench, names):
    """All systems in one request, over an empty store: (measure.Result, tenon.Log)."""
    place = bench.place()
    result = place.run("build", "--keep-going", "-j%d" % bench.args.jobs, *names, timeout=7200)
    log = tenon.Log(place.events())
    if result.code not in (0, 1) or result.strays:
        raise SystemExit("all systems in one request: code %d, %s\n%s" %
                         (result.code, result.strays, plain(result.err)[-2000:]))
    bench.drop(place.folder)
    return result, log


def sums(bench, rows, good, results, whole):
    """What all systems took, by ASDF and by tenon, both from empty caches. Only those that ASDF builds count."""
    asdf_wall, asdf_cpu = sum(rows[n].seconds for n in good), sum(rows[n].cpu for n in good)
    lines = [["ASDF, each in a process, one after another", "%.0f" % asdf_wall, "-", "%.0f" % asdf_cpu] + 4 * ["-"]]

    def line(what, wall, cpu, actions, peak, failed):
        lines.append([what, "%.0f" % wall, "%.2f" % (asdf_wall / wall), "%.0f" % cpu,
                      "%+.0f %%" % (100 * (cpu / asdf_cpu - 1)), "%+.0f %%" % (100 * (cpu / actions - 1)) if actions else "-", "%.0f" % (peak / 2 ** 20), failed])
    ours = [results[n] for n in good]
    line("tenon, each by a request, one after another", sum(o.seconds for o in ours), sum(o.cpu for o in ours),
         sum(o.actions for o in ours), max([o.host_peak for o in ours] or [0]), len([o for o in ours if not o.builds()]))
    result, log = whole
    line("tenon, all in one request", result.wall, result.cpu, log.cpu, log.host_peak, log.outcomes.get("failed", 0))
    say("all systems that ASDF builds, from empty caches (beyond: CPU that is not the actions' own, as a part of that):")
    table(["", "s", "speed-up", "CPU s", "against ASDF", "beyond", "host MiB", "failed"], lines)
    for label in sorted(log.labels.get("failed", [])):
        say("fails in one request: %s" % label)


def part(bench, rows):
    """`rows`: ASDF's side, as corpus.build_all gives it."""
    args = bench.args
    good = sorted(name for name, row in rows.items() if row.status == "ok")
    wanted = sorted(rows) if args.everything else good
    place, results = bench.place(), {}
    for name in wanted:
        results[name] = build(place, name, "-j%d" % args.jobs)
    whole = at_once(bench, good)
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
    sums(bench, rows, good, results, whole)
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
        say("ASDF fails: %s: %s%s" % (name, rows[name].why, tenons))
    say()
    bench.drop(place.folder)


def read_or_build(bench):
    if bench.args.asdf_table:
        return corpus.read_table(bench.args.asdf_table)
    folder = bench.folder()
    fasl = asdf.newest_fasl(folder)
    names = [name for name, _ in asdf.systems(folder, fasl)]
    rows = corpus.build_all(names, fasl, folder, 1, 300)  # one after another: the times are added up
    bench.drop(folder)
    return rows
