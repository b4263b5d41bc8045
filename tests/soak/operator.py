"""An operator in the storm: holds, releases, pauses, reorders and makes again, by the commands."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice

from support.playground import Playground

from nstd.queue.control import ControlRequests
from nstd.system.durable import Files
from soak.dropper import Dropper
from soak.judge import RECIPE_FOLDERS
from soak.schedule import Blow, Event

JOB_RECORD = re.compile(r"job-\d+\.json")
MOST_HELD = 6
"""So many names are held at a time, at most: held sidecars are part of the backlog."""
RECENT = 12
"""One of so many submissions is asked about, of the last: most others have ended."""
COUNTED = {
    "hold": "holds",
    "release": "releases",
    "priority": "priorities",
    "pause": "pauses",
    "again": "made again",
}
UNSETTLED = 20.0
"""Seconds in which a request may still be on its way when the inbox vanishes, which refuses it."""


@dataclass(frozen=True)
class Asked:
    """A command that was given, whether or not it was refused; `when` is on the wall's clock."""

    when: float
    action: str
    name: str = ""
    value: str = ""


@dataclass(frozen=True)
class FolderHeld:
    """A folder with a recipe, and from when to when nothing in it may be claimed."""

    folder: str
    since: float
    until: float


class Operator:
    """Remembers what it has asked for: `held` has the names that it has to let go again."""

    def __init__(self, ground: Playground, dropper: Dropper) -> None:
        self._ground, self._dropper = ground, dropper
        self._requests = ControlRequests(ground.work, Files())
        self.asked: list[Asked] = []
        self.counts: Counter[str] = Counter()
        self.bugs: dict[str, str] = {}
        self.held: set[str] = set()
        self._on_the_way: set[str] = set()
        self.folders_held: list[FolderHeld] = []
        self._since: dict[str, float] = {}

    def act(self, event: Event) -> None:
        """Do what the schedule has drawn."""
        match event.blow:
            case Blow.HOLD:
                self.hold_one(event.pick)
            case Blow.HOLD_FOLDER:
                self.hold_folder(event.pick)
            case Blow.RELEASE:
                self.release_one(event.pick)
            case Blow.PRIORITY:
                self.reorder(event.pick)
            case Blow.AGAIN:
                self.make_again(event.pick)

    def hold_one(self, pick: float) -> None:
        """Hold a submission of late; where many are held, let one go."""
        if len(self.held) >= MOST_HELD:
            self.release_one(pick)
            return
        name = self._recent(pick)
        if name and self._ask("hold", name):
            self.held.add(name)

    def hold_folder(self, pick: float) -> None:
        """Hold the folder of a recipe."""
        names = list(RECIPE_FOLDERS)
        name = f"{names[int(pick * len(names))]}/"
        if self._ask("hold", name):
            self.held.add(name)
            self._on_the_way.add(name)

    def release_one(self, pick: float) -> None:
        """Let one go of those that are held."""
        held = sorted(self.held)
        if held:
            self._release(held[int(pick * len(held))])

    def reorder(self, pick: float) -> None:
        """Give a submission of late another priority."""
        if name := self._recent(pick):
            self._ask("priority", name, str(int(pick * 1e6) % 101))

    def pause(self, seconds: float, *, is_timed: bool, now: bool) -> None:
        """Pause, for a while or until `resume`."""
        limit = ["--for", f"{max(1, round(seconds))}s"] if is_timed else []
        self._ask("pause", *limit, *(["--now"] if now else []))

    def resume(self) -> None:
        """End the pause."""
        self._ask("resume")

    def make_again(self, pick: float) -> None:
        """Make one again whose picture is there, unless it expires now; by a name of its own."""
        files = (name for *_, names in os.walk(self._ground.outbox) for name in names)
        done = sorted(name.removesuffix(".json") for name in files if JOB_RECORD.fullmatch(name))
        if not done:
            return
        name = f"again-{len(self.asked):06}"
        first = self._dropper.ledger.get(done[int(pick * len(done))])
        if first is not None and self._ask("again", first.name, "--name", name):
            self._dropper.ledger[name] = replace(first, name=name, kind="again", may_be_gone=False)

    def opened(self) -> None:
        """The hours of the config are over, or begin: the storm changes them itself."""
        self.asked.append(Asked(time.time(), "open"))

    def inbox_taken(self) -> None:
        """What it holds is in nobody's hands now, and what was asked a moment ago may be refused.

        Called before the inbox vanishes, and when it is back.
        """
        now = time.time()
        late = [each for each in self.asked if each.when > now - UNSETTLED]
        self.held |= {each.name for each in late if each.action == "release"}
        for name in list(self._since):
            self._end_of_hold(name)
        self._on_the_way.clear()
        self.asked.append(Asked(now, "inbox"))

    def look(self) -> None:
        """Note from when folders are held: the requests are carried out."""
        if self._on_the_way and self._requests.is_empty:
            self._since |= dict.fromkeys(self._on_the_way, time.time())
            self._on_the_way.clear()

    def let_go(self) -> None:
        """End the pause and every hold."""
        self.resume()
        for name in sorted(self.held):
            self._release(name)
        for name in list(self._since):
            self._end_of_hold(name)

    def _release(self, name: str) -> None:
        self._end_of_hold(name)
        self._on_the_way.discard(name)
        if self._ask("release", name) or name in self._ended():
            self.held.discard(name)

    def _end_of_hold(self, name: str) -> None:
        if since := self._since.pop(name, 0.0):
            self.folders_held.append(FolderHeld(name.rstrip("/"), since, time.time()))

    def _ended(self) -> set[str]:
        """The names that nothing waits for: they were deleted, or have ended."""
        return {name for name in self.held if self._is_over(name)}

    def _is_over(self, name: str) -> bool:
        if name.endswith("/"):
            return False
        return not any(self._ground.inbox.rglob(f"{name}.yaml")) and not any(
            name in path.read_text() for path in self._ground.work.glob("2*/job.json")
        )

    def _recent(self, pick: float) -> str:
        names = list(islice(reversed(self._dropper.ledger), RECENT))
        return names[int(pick * len(names))] if names else ""

    def _ask(self, action: str, *arguments: str) -> bool:
        """Run the command; whether it was not refused."""
        name, value = (*arguments, "", "")[:2]
        self.asked.append(Asked(time.time(), action, name, value))
        done = self._ground.command(action, *arguments)
        if done.returncode not in {0, 1} or "Traceback" in done.stderr:
            self.bugs[f"nstd {action} {name}"] = f"{done.returncode}: {done.stderr}"
        self.counts[COUNTED.get(action, action) if done.returncode == 0 else "refusals"] += 1
        return done.returncode == 0
