"""One attempt of a job whose content is a film: frame by frame, from where the last one ended.

Each frame starts at the results of earlier frames as they are stored, in an unbroken run too, so
that an attempt that goes on after a kill makes the same frames.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from nstd.backend import Backend, Interrupted, Progress, Result, Task, takes
from nstd.errors import PictureError
from nstd.executors.worker.attempt import PREVIEW_EVERY, REPORT_EVERY, Attempt
from nstd.executors.worker.checks import check_result, checked
from nstd.executors.worker.film_budget import FilmBudget
from nstd.executors.worker.film_frames import FrameFacts, FrameStore
from nstd.executors.worker.film_input import FilmInput, poster_of, sample_of, seen
from nstd.executors.worker.film_room import check_room
from nstd.executors.worker.film_scene import Past, Scene, reach_of
from nstd.executors.worker.film_schedule import FilmSchedule
from nstd.executors.worker.film_writer import FilmWriter
from nstd.executors.worker.inputs import Decoder
from nstd.queue.job import Ending
from nstd.queue.result import losses_of
from nstd.system import proc

if TYPE_CHECKING:
    from nstd.backend import Mask, Pixels
    from nstd.images.film.reader import Film

ENCODING = 0.03
"""The share of the work that is the writing of the film, for the estimate of the time."""
_POINTS = 500
"""The most frames whose losses are in the record."""
_KEPT = ("network", "seed", "device_name", "device_memory", "predicted_memory")
"""What the record needs of a result of the backend, beside the frame."""


class _Ahead(NamedTuple):
    """A frame that is to be made: its content, its transparency and its past."""

    content: Pixels
    alpha: Mask | None
    past: Past


class FilmAttempt(Attempt):
    """Makes the frames that are missing, then the film."""

    _done = _count = _looked = 0
    _last: Result | None = None

    @cached_property
    def _frames(self) -> FrameStore:
        return FrameStore(self._paths, self._files)

    @cached_property
    def _film_writer(self) -> FilmWriter:
        return FilmWriter(self._assignment, self._files, self._tick)

    def _work(self, backend: Backend) -> None:
        proc.reset_peak()
        options, source = self._options(backend), FilmInput(self._assignment, self._tick)
        stored = self._frames.open()
        with self._timed("decode", source.open) as film:
            self._count = len(film.moments)
            self._done = min(stored, self._count)
            before = sum(each.seconds for each in self._frames.facts(self._done))
            self._schedule = FilmSchedule(self._job, film.times, takes(backend))
            self._reporter.add_picture_notes(source.notes(film) + self._schedule.notes(film.end))
            self._reporter.restart_eta()
            if self._done < self._count:
                self._check_room(film)
                task = self._first_task(film, backend, options)
                self._make(film, task, Scene(reach_of(backend, options)), before)
            self._finish(film, before)

    # The frames

    def _first_task(self, film: Film, backend: Backend, options: BaseModel) -> Task:
        """The task of a frame, as far as it is the same for all; its content is the poster."""
        decoder = Decoder(self._assignment)
        styles = self._timed("decode", lambda: decoder.styles(film.size))
        self._reporter.add_picture_notes(decoder.notes)
        has_series = "series" in takes(backend)
        sample = self._timed("decode", lambda: sample_of(film, has_series=has_series))
        task = Task(
            content=sample.poster,
            styles=styles,
            series=sample.series,
            options=options,
            device=self._assignment.torch_device,
            weights=self._assignment.weights,
            cache=self._cache(),
            film=True,
        )
        if self._assignment.views and not self._paths.view("strip").exists():
            self._timed("views", lambda: self._views.of_inputs(task))
        return task

    def _make(self, film: Film, task: Task, scene: Scene, before: float) -> None:
        """Make the missing frames; those of earlier attempts took `before` seconds."""
        budget = FilmBudget(task.options, before)
        for index, frame in self._read(film, scene, max(0, self._done - max(1, scene.reach))):
            earlier = self._timed("flow", partial(scene.earlier, frame.past))
            if index < self._done:  # made by an earlier attempt
                scene.add(self._frames.read(index + 1)[0])
                continue
            if frame.past.is_same and self._schedule.is_settled(index):
                scene.add(self._frames.repeat(index + 1, frame.alpha))
                self._done = index + 1
                continue
            began, is_first = time.monotonic(), frame.past.is_first
            options = budget.options_of(is_first=is_first, frames=self._schedule.left(index))
            own = {"content": frame.content, "earlier": earlier, "options": options}
            result = self._run(self._schedule.task_of(index, replace(task, **own), frame.past.back))
            facts = self._facts_of(result, time.monotonic() - began, is_cut=is_first)
            pixels = self._frames.write(index + 1, result.pixels, frame.alpha, facts)
            scene.add(pixels)
            budget.spend(facts.seconds)
            self._done = index + 1
            if self._is_due("preview", self._reporter.elapsed, PREVIEW_EVERY):
                self._show(pixels)

    def _read(self, film: Film, scene: Scene, start: int) -> Iterator[tuple[int, _Ahead]]:
        """The frames from index `start` on; beside the work on each the next one is decoded, and
        how it moves is found."""
        frames = film.frames(start)

        def look() -> _Ahead:
            if (frame := next(frames, None)) is None:
                raise PictureError("picture_unreadable", "some of its frames are gone")
            content = seen(frame)
            return _Ahead(content, frame.alpha, scene.look(content))

        with ThreadPoolExecutor(1, "decode") as pool:
            ahead = pool.submit(look)
            for index in range(start, self._count):
                self._reporter.frame = index + 1, self._count
                frame = self._timed("decode", ahead.result)
                if index + 1 < self._count:
                    ahead = pool.submit(look)
                yield index, frame

    def _run(self, task: Task) -> Result:
        """Have the backend make one frame."""
        self._reporter.losses = []
        self._is_in_backend = True
        result: Result = self._timed("backend", lambda: self._backend.run(task, self.report))
        self._is_in_backend = False
        check_result(result, task.content.shape, self._job.backend)
        if self._last is None:
            self._frames.keep({key: getattr(result, key) for key in _KEPT})
        self._last = result
        return result

    def _facts_of(self, result: Result, seconds: float, *, is_cut: bool) -> FrameFacts:
        return FrameFacts(
            steps=self._reporter.step,
            seconds=round(seconds, 3),
            cut=is_cut,
            stopped=result.stopped or "",
            losses=losses_of(self._reporter.losses),
        )

    def report(self, progress: Progress) -> None:
        """The backend's callback: as for a picture, but a frame has no checkpoint of its own."""
        progress = checked(progress, self._job.backend)
        done = self._done + min(1.0, max(0.0, float(progress.fraction)))
        share = (1 - ENCODING) * done / self._count
        super().report(replace(progress, state=None, fraction=share))

    def _tick(self) -> None:
        """Called for each frame that is looked at or written: say so, and stop if asked to."""
        if (request := self._end_request()) is not None:
            self._ending = Ending.STOPPED if request == "stop" else Ending.CANCELLED
            raise Interrupted
        self._looked = self._looked % self._count + 1 if self._count else self._looked + 1
        self._reporter.frame = self._looked, self._count or None
        if self._is_due("report", self._reporter.elapsed, REPORT_EVERY):
            share = 1 - ENCODING if self._count and self._done == self._count else 0.0
            self._reporter.send(Progress(step=0, steps=0, fraction=share))

    def _check_room(self, film: Film) -> None:
        """Raise OSError, or PictureError, if the disk has no room for the film."""
        name = self._job.given("content")[0].source.removesuffix("/")
        size = self._frames.size(self._done)
        try:
            check_room(film, name, self._job.format, self._paths.folder, self._done, size)
        except OSError as error:
            self._reporter.add_picture_notes((f"{error.strerror}: it waits",))
            raise
        self._had_room = True

    # The film

    def _finish(self, film: Film, before: float) -> None:
        """Write the film and all that belongs to it; `result.json` is the last."""
        facts, self._looked = list(self._frames.facts(self._count)), 0
        made: dict[str, Any] = self._frames.kept() if self._last is None else vars(self._last)
        poster = self._frames.read(poster_of(self._count) + 1)[0]
        stopped = "budget" if any(each.stopped == "budget" for each in facts) else facts[-1].stopped
        result = Result(
            poster,
            stopped=stopped or None,
            **{key: made.get(key) for key in _KEPT},  # type: ignore[arg-type]
        )
        writer = self._film_writer
        picture, notes = self._timed("encode", lambda: writer.write(film, self._frames, result))
        self._reporter.add_picture_notes(notes)
        self._frames.write_table(film.moments, facts, self._schedule.columns())
        self._timed("encode", lambda: writer.write_sheet(film, self._frames))
        if self._assignment.views:
            self._timed("views", lambda: self._show_moving(film, result))
        self._reporter.step = sum(each.steps for each in facts)
        self._reporter.losses = _curve(facts)
        total = {"total": self._reporter.elapsed + before}
        writer.write_result(result, picture, self._reporter, self._seconds | total)

    def _show_moving(self, film: Film, result: Result) -> None:
        """Make what the gallery shows of the result; the film itself does not depend on it."""
        self._views.of_result(result.pixels)
        try:
            self._film_writer.write_previews(film, self._frames)
        except Exception as error:  # of disk or encoder
            self._reporter.note_error(f"no moving preview: {error}")


def _curve(facts: list[FrameFacts]) -> list[dict[str, float]]:
    """The losses of some frames, for the record; the table of frames has those of all."""
    stride = -(-len(facts) // _POINTS)
    return [
        {"step": number + 1, "level": 1, "seconds": facts[number].seconds} | facts[number].losses
        for number in range(0, len(facts), stride)
    ]
