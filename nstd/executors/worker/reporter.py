"""The progress of an attempt: reports to the daemon, and the losses and notes for the result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from nstd.backend import Progress
from nstd.errors import clean
from nstd.executors.worker.eta import Eta
from nstd.queue.progress import Report
from nstd.system import proc

_LOSSES_KEPT = 500
_NOTES_KEPT = 100


class ProgressReporter:
    """Sends reports about a job; `losses`, `notes` and `step` are kept for its result."""

    def __init__(self, job: str, send: Callable[[Report], None]) -> None:
        self._job, self._send = job, send
        self._began = time.monotonic()
        self.losses: list[dict[str, float]] = []
        self.notes: list[str] = []
        self.step = 0
        self.frame: tuple[int, int | None] | None = None
        """Of a film the number of the frame that is worked on, and how many there are."""
        self._unsent: tuple[str, ...] = ()  # notes about pictures
        self._has_noted_error = False
        self._last = Progress(step=0, steps=0, fraction=0.0)
        self._eta = Eta()

    @property
    def elapsed(self) -> float:
        """The seconds since the start of the attempt."""
        return time.monotonic() - self._began

    def add_picture_notes(self, notes: tuple[str, ...]) -> None:
        """Keep notes about the pictures; they are sent with the next report."""
        self.notes += notes
        self._unsent += notes

    def restart_eta(self) -> None:
        """The work begins now: what was before says nothing about its pace."""
        self._eta = Eta()

    def keep(self, progress: Progress) -> bool:
        """Keep the losses and the step; whether this is the last step, reached just now."""
        is_last = progress.step == progress.steps and progress.step != self.step
        self.step = int(progress.step)
        self._last = replace(progress, note="", state=None, picture=None)
        return is_last

    def keep_losses(self, progress: Progress) -> None:
        """Add a point to the loss curves; when there are too many, every second one is dropped."""
        if not (losses := _finite(progress.losses)):
            return
        seconds = round(self.elapsed, 3)
        point = {"step": int(progress.step), "level": int(progress.level), "seconds": seconds}
        self.losses.append(point | losses)
        if len(self.losses) > 2 * _LOSSES_KEPT:
            self.losses = self.losses[::2]

    def send(self, progress: Progress) -> None:
        """Send a report to the daemon."""
        if progress.note and len(self.notes) < _NOTES_KEPT:
            self.notes.append(progress.note)
        notes, self._unsent = self._unsent, ()
        elapsed, fraction = self.elapsed, min(1.0, max(0.0, float(progress.fraction)))
        eta = self._eta.seconds(elapsed, fraction)
        frame, frames = self.frame or (None, None)
        report = Report(
            job=self._job,
            step=int(progress.step),
            steps=int(progress.steps),
            level=int(progress.level),
            levels=int(progress.levels),
            fraction=round(fraction, 4),
            losses=_finite(progress.losses),
            elapsed=round(elapsed, 1),
            eta=None if eta is None else round(eta, 1),
            note=clean(progress.note),
            picture_notes=notes,
            memory=(progress.device_memory or proc.resident)(),
            frame=frame,
            frames=frames,
        )
        self._send(report)

    def send_note(self, note: str = "") -> None:
        """Send a note for the user, with the last progress."""
        self.send(replace(self._last, losses={}, note=note))

    def note_error(self, what: str) -> None:
        """Report an error that does not stop the work; only the first is reported."""
        if not self._has_noted_error:
            self._has_noted_error = True
            self.send_note(what)

    def flush(self) -> None:
        """Send the notes about pictures that no report has sent."""
        if self._unsent:
            self.send_note()


def _finite(losses: Mapping[str, float]) -> dict[str, float]:
    """The finite losses, rounded to six digits; JSON has no NaN."""
    return {
        clean(key): float(f"{value:.6g}") for key, value in losses.items() if math.isfinite(value)
    }
