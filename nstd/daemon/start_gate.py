"""The gate before the starts of jobs: closed while a person has paused them, and outside of the
hours of the config's `schedule`. Jobs that run go on."""

from __future__ import annotations

import time

from nstd.documents.config import Config
from nstd.documents.schedule import Schedule
from nstd.logs.log import emit
from nstd.outbox.record import timestamp
from nstd.queue.scheduler import Scheduler
from nstd.queue.start_pause import StartPause, closed_hours, read_pause
from nstd.system.durable import Files
from nstd.system.layout import PAUSE


class StartGate:
    """Sets the scheduler's `start_pause`; the pause of a person is durable in `work/pause.json`.

    Nothing starts before that file was read.
    """

    def __init__(self, config: Config, files: Files, scheduler: Scheduler) -> None:
        self._work, self._files, self._scheduler = config.folder("work"), files, scheduler
        self._paused: StartPause | None = None  # by a person
        self._is_loaded = False
        scheduler.start_pause = StartPause(cause="start", since=0.0)
        self._told: StartPause | None = None
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new hours; the time zone of the machine is read again, too."""
        time.tzset()
        self._schedule = Schedule(config.schedule)
        self._closed: StartPause | None = None

    def work(self, now: float) -> None:  # noqa: ARG002 - the contract of a part
        """Find out whether jobs may start now. Raises OSError."""
        if not self._is_loaded:
            self._paused, self._is_loaded = read_pause(self._work), True
        wall = time.time()
        if self._paused is not None and self._paused.is_over(wall):
            self._paused = None
            self._files.unlink(self._work / PAUSE)
        self._set(self._paused or self._find_closed(wall))

    def pause(self, until: float | None, reason: str) -> None:
        """Start no more jobs, until a time in seconds since the epoch. Raises OSError."""
        paused = StartPause(cause="person", since=time.time(), until=until, reason=reason)
        self._files.write(self._work / PAUSE, paused.model_dump_json().encode())
        self._paused, self._is_loaded = paused, True
        self.work(0.0)

    def resume(self) -> None:
        """End the pause of a person. Raises OSError."""
        self._files.unlink(self._work / PAUSE)
        self._files.sync_folder(self._work)
        self._paused, self._is_loaded = None, True
        self.work(0.0)

    def _find_closed(self, wall: float) -> StartPause | None:
        """The pause of the schedule; when it ends is computed once for each time."""
        known = self._closed
        if known is None or known.is_over(wall) or wall < known.since:
            self._closed = closed_hours(self._schedule, wall)
        return self._closed

    def _set(self, pause: StartPause | None) -> None:
        self._scheduler.start_pause = pause
        if _key(pause) == _key(self._told):
            return
        if pause is not None:
            until = {} if pause.until is None else {"until": timestamp(pause.until)}
            reason = {"reason": pause.reason} if pause.reason else {}
            emit("starts.paused", cause=pause.cause, **until, **reason)
        elif self._told is not None:
            emit("starts.resumed", cause=self._told.cause)
        self._told = pause

    # What the loop needs to know

    @property
    def is_idle(self) -> bool:
        """Whether it is known if jobs may start."""
        return self._is_loaded

    def next_event(self, now: float) -> float:
        """When jobs may start again; the clock may be set meanwhile, so the loop looks earlier."""
        pause = self._scheduler.start_pause
        if pause is None or pause.until is None:
            return now if not self._is_loaded else float("inf")
        return now + max(0.0, pause.until - time.time())

    def waitables(self) -> tuple[()]:
        """Nothing to wait on."""
        return ()

    def close(self) -> None:
        """Nothing to write."""


def _key(pause: StartPause | None) -> object:
    """What is told of a pause."""
    return pause and (pause.cause, pause.until, pause.reason)
