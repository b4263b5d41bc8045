"""Hooks: commands from the config that run when a job has ended, without blocking the loop.

Each result is logged; a hook that fails, hangs or cannot be found does not change its job. Each
end of a job starts at most one command, and none when the daemon is killed at that moment.
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
"""How many commands may wait. When more jobs end, no command runs for them; this is logged."""
CHECK_INTERVAL = 0.5
"""Seconds between checks of running commands, if nothing else wakes the loop."""
LONGEST_DRAIN = 60.0
"""At a stop, waiting and running commands have their time limit, but at most these seconds."""


@dataclass(frozen=True)
class HookCall:
    """A command that waits to be run."""

    command: tuple[str, ...]
    environment: dict[str, str]


class Hooks:
    """The waiting and the running commands."""

    def __init__(self, config: Config) -> None:
        self._waiting: deque[HookCall] = deque()
        self._running: list[tuple[HookCall, TimedChild]] = []
        self._until = float("inf")
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings; commands that wait or run do not change."""
        self._settings, self._grace = config.hooks, config.workers.grace

    def add(self, job: Job, failure: Failure | None, record: Path) -> None:
        """Add the command for a job whose end is published and logged; `record` is its record."""
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
        call = HookCall(tuple(command), environment)
        if len(self._waiting) >= MOST:
            _log_not_run(call, f"{MOST} others wait; it was not run")
        else:
            self._waiting.append(call)

    def work(self, now: float) -> None:
        """Log the commands that have ended and start those that wait, without blocking."""
        for call, child in list(self._running):
            if (reason := child.check(now)) is not None:
                self._running.remove((call, child))
                _log_end(call, child, reason)
        if now >= self._until:
            self.close()
        while self._waiting and len(self._running) < self._settings.at_once:
            self._start(self._waiting.popleft())

    def _start(self, call: HookCall) -> None:
        try:
            child = TimedChild(call.command, call.environment, self._settings.timeout)
        except (OSError, ValueError) as error:
            _log_not_run(call, f"cannot be started: {error}")
        else:
            self._running.append((call, child))

    def drain(self, now: float) -> None:
        """The daemon stops: give the commands time, counted after the time to save running jobs."""
        self._until = now + self._grace + min(self._settings.timeout, LONGEST_DRAIN)

    def close(self) -> None:
        """Kill the running commands, and start no more."""
        for call, child in self._running:
            child.kill()
            _log_end(call, child, "killed: the daemon stops")
        for call in self._waiting:
            _log_not_run(call, "not run: the daemon stops")
        self._running.clear()
        self._waiting.clear()

    # What the loop needs to know

    @property
    def is_idle(self) -> bool:
        """Whether no command waits or runs."""
        return not self._waiting and not self._running

    def next_event(self, now: float) -> float:
        """When to check the commands again."""
        if not self._running:
            return now if self._waiting else float("inf")
        return min(
            self._until, now + CHECK_INTERVAL, *(child.deadline for _, child in self._running)
        )

    def waitables(self) -> list[int]:
        """Descriptors that become readable when a command ends."""
        return [fd for _, child in self._running for fd in child.waitables]


def _log_end(call: HookCall, child: TimedChild, reason: str) -> None:
    """Log one line for each command; its output is included only when it failed."""
    words = _fields(call)
    if reason:
        emit("hook.failed", **words, reason=reason, seconds=child.seconds, printed=child.tail)
    else:
        emit("hook.finished", **words, seconds=child.seconds)


def _log_not_run(call: HookCall, reason: str) -> None:
    emit("hook.failed", **_fields(call), reason=printable(reason))


def _fields(call: HookCall) -> dict[str, str]:
    return {"job": call.environment["NSTD_JOB"], "hook": printable(shlex.join(call.command))}
