"""Writes sources again with other comments: each that is there is replaced, each line that ends outside of a string gets
one. Arguments: folder, folder of the copies."""
import os
import sys


def commented(text):
    out, at, quoted = [], 0, False
    while at < len(text):
        c = text[at]
        if c == "\\":
            out.append(text[at:at + 2])
            at += 2
            continue
        if c == '"':
            quoted = not quoted
        if not quoted and c == ";":
            while at < len(text) and text[at] not in "\r\n":
                at += 1
            continue
        # A symbol at top level that ends its line makes the reader count on.
        if not quoted and (c == "\r" or c == "\n" and text[at - 1:at] != "\r"):
            out.append(' ; "another (' if not out or out[-1] in ' )]}"' else "")
        out.append(c)
        at += 1
    return "".join(out) + '\n;; "at the end'


for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), newline="") as f:
            source = f.read()
        copy = os.path.join(sys.argv[2], os.path.relpath(os.path.join(folder, name), sys.argv[1]))
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        with open(copy, "w", newline="") as f:
            f.write(commented(source) if name.endswith((".clj", ".cljc")) else source)
