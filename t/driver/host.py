"""A host for the driver, for its tests: speaks docs/DRIVER.md over an abstract Unix socket."""
import os
import re
import secrets
import socket
import subprocess
import tempfile

TIMEOUT = 120


class Keyword(str):
    """A Lisp keyword, in lower case and without its colon."""


def to_text(form):
    """A form as the protocol writes it: lists, Keyword, int, str, True, None."""
    if form is None or form is False or form == []:
        return "nil"
    if form is True:
        return "t"
    if isinstance(form, Keyword):
        return ":" + form
    if isinstance(form, int):
        return str(form)
    if isinstance(form, str):
        return '"' + form.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "(" + " ".join(to_text(item) for item in form) + ")"


def from_text(text):
    """The one form in `text`."""
    stack, at = [[]], 0
    while at < len(text):
        char = text[at]
        if char in " \n\t":
            at += 1
        elif char == "(":
            stack.append([])
            at += 1
        elif char == ")":
            item = stack.pop()
            stack[-1].append(item)
            at += 1
        elif char == '"':
            out, at = [], at + 1
            while text[at] != '"':
                if text[at] == "\\":
                    at += 1
                out.append(text[at])
                at += 1
            at += 1
            stack[-1].append("".join(out))
        else:
            end = at
            while end < len(text) and text[end] not in ' \n\t()"':
                end += 1
            stack[-1].append(token(text[at:end]))
            at = end
    if len(stack) != 1 or len(stack[0]) != 1:
        raise ValueError("not one form")
    return stack[0][0]


def token(word):
    if word.startswith(":"):
        return Keyword(word[1:].lower())
    if word.lower() == "nil":
        return []
    if word.lower() == "t":
        return True
    return int(word)


def plist(items):
    """The pairs of a property list as a dict with plain string keys."""
    return {str(items[i]): items[i + 1] for i in range(0, len(items), 2)}


class Process:
    """The host's end of one Lisp process."""

    def __init__(self, host, connection, pid):
        self.host, self.connection, self.pid = host, connection, pid
        self.buffer = b""

    def send(self, form):
        body = to_text(form).encode()
        self.connection.sendall(b"%d\n" % len(body) + body)

    def fill(self, size):
        while len(self.buffer) < size:
            chunk = self.connection.recv(1 << 16)
            if not chunk:
                return False
            self.buffer += chunk
        return True

    def receive(self):
        """The next answer, or None when the process is gone."""
        while b"\n" not in self.buffer:
            if not self.fill(len(self.buffer) + 1):
                return None
        head, _, self.buffer = self.buffer.partition(b"\n")
        if not self.fill(int(head)):
            return None
        body, self.buffer = self.buffer[:int(head)], self.buffer[int(head):]
        return from_text(body.decode())

    def ask(self, *form):
        self.send(list(form))
        return self.receive()

    def fork(self, *requests):
        """Fork this process; the child, after it said hello."""
        name = secrets.token_hex(8)
        self.send([Keyword("fork"), name, *requests])
        answer = self.receive()
        if answer is None or answer[0] != "forked":
            raise RuntimeError(f"no fork: {answer}")
        return self.host.accept(name)

    def steps(self, out, *steps):
        return self.ask(Keyword("steps"), out, *steps)

    def act(self, **options):
        """Act in a child of its own. The answer as a dict."""
        form = [Keyword("act")]
        for name, value in options.items():
            form += [Keyword(name.replace("_", "-")), value]
        child = self.fork(form)
        answer = child.receive()
        child.close()
        return answer and plist(answer[1:])

    def describe(self, **options):
        """Describe in a child of its own. The head of the answer and the rest as a dict."""
        form = [Keyword("describe")]
        for name, value in options.items():
            form += [Keyword(name.replace("_", "-")), value]
        child = self.fork(form)
        answer = child.receive()
        child.close()
        return (answer[0], plist(answer[1:])) if answer else (None, {})

    def close(self):
        self.connection.close()


class Host:
    """Starts the root process from a base core."""

    def __init__(self, core, env=None, heap=None, lisp="sbcl"):
        self.name = "tenon-test-" + secrets.token_hex(8)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind("\0" + self.name)
        self.listener.listen(64)
        self.listener.settimeout(TIMEOUT)
        self.waiting = {}
        word = secrets.token_hex(8)
        full = dict(os.environ if env is None else env)
        full.update(TENON_SOCKET=self.name, TENON_TOKEN=word, LC_ALL="C.UTF-8")
        command = [lisp, "--core", core, "--noinform"]
        if heap:
            command += ["--dynamic-space-size", heap]
        command += ["--no-sysinit", "--no-userinit"]
        self.said = tempfile.NamedTemporaryFile("ab")
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=self.said, env=full)
        self.root = self.accept(word)

    def marks(self):
        """The process and the index of each step that was begun."""
        with open(self.said.name, "rb") as said:
            return [(int.from_bytes(mark[0:4], "little"), int.from_bytes(mark[4:8], "little"))
                    for mark in re.findall(b"\x1e(.{8})", said.read(), re.DOTALL)]

    def accept(self, name):
        while name not in self.waiting:
            connection, _ = self.listener.accept()
            connection.settimeout(TIMEOUT)
            process = Process(self, connection, 0)
            hello = process.receive()
            assert hello[0] == "hello", hello
            process.pid = hello[2]
            self.waiting[hello[1]] = process
        return self.waiting.pop(name)

    def close(self):
        self.root.close()
        self.child.wait(TIMEOUT)
        self.listener.close()
        self.said.close()


def make_core(folder, target, lisp="sbcl"):
    """Make the base core, target/base.core, from the driver's sources in `folder`. What the Lisp printed."""
    sources = sorted(name for name in os.listdir(folder) if name.endswith(".lisp"))
    command = [lisp, "--noinform", "--no-sysinit", "--no-userinit", "--disable-debugger"]
    for name in sources:
        command += ["--load", os.path.join(folder, name)]
    command += ["--eval", f'(tenon-driver:save-base "{target}")']
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if not os.path.exists(os.path.join(target, "base.core")):
        raise RuntimeError(run.stdout[-2000:] + run.stderr[-4000:])
    return run.stdout + run.stderr
