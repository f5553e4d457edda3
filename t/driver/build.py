"""Builds what a plan describes in the plainest way: ASDF's order, one image that grows."""
import os
import shutil

from host import Keyword, plist

NONE = Keyword("none")


class Builder:
    """Carries out a plan's actions in its own order, each compile in a fork of the one image."""

    def __init__(self, host, plan, out, scratch):
        self.host, self.plan, self.out, self.scratch = host, plan, out, scratch
        self.image = host.root.fork()
        self.asds = [plist(asd) for asd in plan["asds"]]
        self.actions = {}
        for form in plan["actions"]:
            action = plist(form)
            self.actions[action["id"]] = action
        self.systems = {s["name"]: s for s in map(plist, plan["systems"])}
        self.loaded_asds = set()
        self.problems = []
        self.answers = {}
        self.done = set()

    def step(self, *step):
        answer = self.image.steps(self.out, list(step))
        if answer is None or answer[0] != "steps-done":
            self.problems.append((step, answer))
            return False
        return True

    def ensure_asd(self, number):
        if number is None or number in self.loaded_asds:
            return
        self.loaded_asds.add(number)
        asd = self.asds[number]
        for inner in asd.get("asds", []):
            self.ensure_asd(inner)
        for need in asd.get("needs", []):
            self.carry_out(need)
        self.step(Keyword("asd"), asd["path"], asd["features-before"])

    def logical(self, action):
        if not action.get("inputs"):
            return ""
        path = action["inputs"][0]
        folder = self.systems[action["system"]].get("directory", "")
        if path.startswith(folder):
            path = path[len(folder):]
        return action["system"] + ":" + path

    def act(self, action, sandbox=True):
        folder = os.path.join(self.scratch, "a%d" % action["id"])
        os.makedirs(folder)
        answer = self.image.act(op=action["op"], system=action["system"],
                                component=action.get("component", []), out=self.out,
                                scratch=folder, logical=self.logical(action), policy="",
                                seed=self.logical(action), warnings=Keyword("default"),
                                sandbox=[folder] if sandbox else [])
        self.answers[action["id"]] = answer
        if answer is None or answer["status"] != "ok":
            self.problems.append((action, answer))
            return
        for relative, _ in answer["outputs"]:
            target = os.path.join(self.out, relative)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.move(os.path.join(folder, relative), target)
        shutil.rmtree(folder)

    def carry_out(self, number):
        """Everything that the action needs, then the action."""
        pending = [number]
        while pending:
            current = pending[-1]
            action = self.actions[current]
            left = [d for d in action.get("deps", []) if d not in self.done]
            if left and current not in self.done:
                pending.append(left[0])
                continue
            pending.pop()
            if current not in self.done:
                self.done.add(current)
                self.carry_out_alone(action)

    def carry_out_alone(self, action):
        kind = action["kind"]
        if kind != "require" and kind != "none":
            self.ensure_asd(action.get("asd"))
        if kind in ("compile", "opaque", "whole"):
            self.act(action)
        elif kind in ("load", "effect"):
            self.step(Keyword("perform"), action["op"], action["system"],
                      action.get("component", []))
        elif kind == "require":
            self.step(Keyword("require"), action["system"])

    def run(self):
        for number in sorted(self.actions):
            self.carry_out(number)
        self.image.close()
        return not self.problems
