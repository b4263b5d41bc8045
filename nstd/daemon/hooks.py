"""Hooks: commands of the config that are run when a job has ended, beside the loop.

They are told of, and no more: one that fails, hangs or cannot be found changes nothing of its job.
Each ending starts one at most; a daemon that is killed in that moment starts none.
"""

from __future__ import annotations

import os
import shlex
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from nstd.documents.config import Config
from nstd.errors import printable
from nstd.logs.log import emit
from nstd.queue.job import Failure, Job
from nstd.system.child import TimedChild

MOST = 1000
"""So many endings may wait for their command; those beyond are told of, and get none."""
LOOK = 0.5
"""While commands run, how often they are looked at, if nothing else wakes the loop."""
LONGEST_DRAIN = 60.0
"""At a stop, commands that wait or run get their time-out, but no more than this."""


@dataclass(frozen=True)
class Call:
    """A command that is to be run."""

    command: tuple[str, ...]
    environment: dict[str, str]


class Hooks:
    """The commands that wait and those that run."""

    def __init__(self, config: Config) -> None:
        self._waiting: deque[Call] = deque()
        self._running: list[tuple[Call, TimedChild]] = []
        self._until = float("inf")
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings; what waits or runs keeps its command."""
        self._settings, self._grace = config.hooks, config.workers.grace

    def add(self, job: Job, failure: Failure | None, record: Path) -> None:
        """The job has ended, and everybody was told; `record` is that of its end."""
        settings = self._settings
        command = settings.on_success if failure is None else settings.on_failure
        if not command:
            return
        environment = {
            "NSTD_JOB": job.id,
            "NSTD_NAME": job.name,
            "NSTD_CODE": "" if failure is None else failure.code,
            "NSTD_RECORD": os.fspath(record),
        }
        call = Call(tuple(command), environment)
        if len(self._waiting) >= MOST:
            _tell_unrun(call, f"{MOST} others wait; it was not run")
        else:
            self._waiting.append(call)

    def work(self, now: float) -> None:
        """Tell of those that ended, and start what waits; never waits for either."""
        for call, hook in list(self._running):
            if (reason := hook.look(now)) is not None:
                self._running.remove((call, hook))
                _tell(call, hook, reason)
        if now >= self._until:
            self.close()
        while self._waiting and len(self._running) < self._settings.at_once:
            self._start(self._waiting.popleft())

    def _start(self, call: Call) -> None:
        try:
            hook = TimedChild(call.command, call.environment, self._settings.timeout)
        except (OSError, ValueError) as error:
            _tell_unrun(call, f"cannot be started: {error}")
        else:
            self._running.append((call, hook))

    def drain(self, now: float) -> None:
        """The daemon stops: they have some time, after that of the jobs that are saved now."""
        self._until = now + self._grace + min(self._settings.timeout, LONGEST_DRAIN)

    def close(self) -> None:
        """End at once what runs, and run no more."""
        for call, hook in self._running:
            hook.kill()
            _tell(call, hook, "killed: the daemon stops")
        for call in self._waiting:
            _tell_unrun(call, "not run: the daemon stops")
        self._running.clear()
        self._waiting.clear()

    # What the loop needs to know

    @property
    def is_idle(self) -> bool:
        """Whether none waits or runs."""
        return not self._waiting and not self._running

    def next_event(self, now: float) -> float:
        """When they are to be looked at again."""
        if not self._running:
            return now if self._waiting else float("inf")
        return min(self._until, now + LOOK, *(hook.deadline for _, hook in self._running))

    def waitables(self) -> list[int]:
        """What to wait on for the end of one."""
        return [fd for _, hook in self._running for fd in hook.waitables]


def _tell(call: Call, hook: TimedChild, reason: str) -> None:
    """One canonical line for each; what it printed is told only where it failed."""
    words = _words(call)
    if reason:
        emit("hook.failed", **words, reason=reason, seconds=hook.seconds, printed=hook.tail)
    else:
        emit("hook.finished", **words, seconds=hook.seconds)


def _tell_unrun(call: Call, reason: str) -> None:
    emit("hook.failed", **_words(call), reason=printable(reason))


def _words(call: Call) -> dict[str, str]:
    return {"job": call.environment["NSTD_JOB"], "hook": printable(shlex.join(call.command))}
