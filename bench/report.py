"""What the parts print: headings with the command line and the load, and tables."""
import os


def say(text=""):
    print(text, flush=True)


def table(head, rows):
    rows = [[str(c) for c in row] for row in [head] + rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for i, row in enumerate(rows):
        say("  ".join([row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]).rstrip())
        if i == 0:
            say("  ".join("-" * w for w in widths))
    say()


def cores():
    return len(os.sched_getaffinity(0))


def heading(text, *commands):
    """A part begins to print: what it measured, how busy the machine is, and what a reader can run again."""
    say("== %s" % text)
    say("   %d cores, load average %.2f %.2f %.2f" % ((cores(),) + os.getloadavg()))
    for command in commands:
        say("   $ %s" % command)
