"""Finding top-level forms in Common Lisp text, and drawing edits in them. Knows as much of the syntax as that needs:
strings, comments, characters, quoted symbols, parentheses. What it isn't sure of it doesn't touch."""
import re

TOKEN = re.compile(r"""
    (?P<blank>\s+|;[^\n]*)
  | (?P<block>\#\|)
  | (?P<character>\#\\(?:[A-Za-z][\w-]*|.))
  | (?P<string>"(?:\\.|[^"\\])*")
  | (?P<conditional>\#[+-])
  | (?P<prefix>['`]|,@|,|\#['.]|\#\d*[A-Za-z](?=\()|\#(?=\())
  | (?P<open>\()
  | (?P<close>\))
  | (?P<atom>(?:\|[^|]*\||\\.|[^\s()"';`,|\\])+)
""", re.X | re.S)


class Unsure(Exception):
    """The text holds something that this scanner doesn't know."""


def tokens(text, at):
    while at < len(text):
        m = TOKEN.match(text, at)
        if not m:
            raise Unsure(text[at:at + 20])
        if m.lastgroup == "block":
            depth, at = 1, m.end()
            while depth:
                near = re.compile(r"\|#|#\|").search(text, at)
                if not near:
                    raise Unsure("unfinished comment")
                depth += 1 if near.group() == "#|" else -1
                at = near.end()
            continue
        if m.lastgroup != "blank":
            yield m.lastgroup, m.start(), m.end()
        at = m.end()


def children(text, start, end):
    """Spans of the things directly in text[start:end]; a prefix belongs to what it stands before."""
    found, depth, begun, held = [], 0, None, False
    for kind, a, b in tokens(text[:end], start):
        if begun is None:
            begun = a
        if kind == "conditional":
            held = True
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
            if depth < 0:
                raise Unsure("a parenthesis too many")
        if depth == 0 and kind in ("character", "string", "atom", "close"):
            if not held:
                found.append((begun, b))
            else:  # "#+x form": the first thing is the feature, the second goes with it
                held = False
                continue
            begun = None
    if depth:
        raise Unsure("a parenthesis missing")
    return found


class Form:
    """One top-level form with its direct elements."""

    def __init__(self, text, start, end):
        self.text, self.start, self.end = text, start, end
        self.plain = text[start] == "("
        self.parts = children(text, start + 1, end - 1) if self.plain else []
        self.words = [text[a:b] for a, b in self.parts]

    def head(self):
        return self.words[0].lower() if self.words else ""

    def body(self):
        """Where the first form of a function's body begins: behind the documentation and declarations."""
        at = 3
        while self.head() == "defmethod" and at < len(self.words) and not self.words[at - 1].startswith("("):
            at += 1  # a qualifier
        while at < len(self.words) - 1 and (self.words[at].startswith('"') or
                                            self.words[at].lower().startswith("(declare")):
            at += 1
        return self.parts[at][0] if at < len(self.parts) and not self.words[at].startswith("(declare") else None


def forms(text):
    """Its top-level forms; [] where the text is beyond this scanner."""
    try:
        return [Form(text, a, b) for a, b in children(text, 0, len(text))]
    except Unsure:
        return []


def inline_names(all_forms):
    names = set()
    for form in all_forms:
        if form.head() == "declaim":
            for word in form.words[1:]:
                if word.lower().startswith("(inline"):
                    names.update(word[1:-1].lower().split()[1:])
    return names


def marked(number):
    """A form that changes nothing anywhere and isn't optimised away."""
    return "(cl:fill (cl:list nil) %d)\n  " % number


def candidates(text, kind, number):
    """[(offset, what to insert there)] of every edit of that kind."""
    found, all_forms = [], forms(text)
    inline = inline_names(all_forms)
    for form in all_forms:
        if not form.plain or len(form.words) < 2:
            continue
        head, name = form.head(), form.words[1].lower()
        if kind == "comment":
            found.append((form.start, ";; Edit %d.\n" % number))
        elif kind == "slot" and head == "defstruct":
            found.append((form.end - 1, "\n  (edited-%d nil)" % number))
        elif kind == "function" and head == "defun":
            found.append((form.end, "\n\n(cl:defun edited-%d (x)\n  (cl:list x %d))\n" % (number, number)))
        elif head in ("defun", "defmacro", "defmethod") and len(form.words) > 3:
            if kind == "docstring":
                if form.words[3].startswith('"') and len(form.words) > 4:
                    found.append((form.parts[3][0] + 1, "Edit %d. " % number))
                continue
            of = "macro" if head == "defmacro" else "inline" if name in inline else "body"
            if kind == of and form.body() is not None:
                found.append((form.body(), marked(number)))
    return found
