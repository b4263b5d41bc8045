"""What changes from frame to frame: the styles that count, and the options that are a ramp."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

from nstd.documents.crossfade import Crossfade, Span
from nstd.documents.film import STILL
from nstd.documents.ramp import Ramp, ramps_of
from nstd.errors import SidecarError, printable
from nstd.system.units import format_duration

if TYPE_CHECKING:
    from nstd.backend import Earlier, Style, Task
    from nstd.queue.job import Job

ANEW = 0.5
"""A frame in which so much is another than in the one before does not begin with that."""
FADING = 0.5
"""The share of a change that is still to be made up for in the next frame."""
CALM = 0.01
"""A frame for which less is left, and whose content is that of the one before, is the same."""


class FilmSchedule:
    """The styles and ramps of a job at the `times` of its frames, in seconds since the first."""

    def __init__(
        self, job: Job, times: Sequence[float] = (0.0,), takes: Collection[str] = ()
    ) -> None:
        """Without times, of a picture; `takes` are the roles that the backend uses.

        Raises SidecarError for a frame without a style.
        """
        self._times, self._last = times, times[-1]
        self._is_still = job.film is not None and job.film.kind == STILL
        self._knows_films = "earlier" in takes
        self._spans = _spans(job)
        self._crossfade = Crossfade(self._spans)
        self._ramps: Mapping[str, Ramp] = ramps_of(job.options)
        if gaps := list(self._crossfade.gaps_until(self._last)):
            raise _without_style(job, gaps, self._last)
        self._changes = [0.0, *(self._change(index) for index in range(1, len(times)))]
        self._left = list(accumulate(self._changes[:-1], _still_left, initial=0.0))

    def task_of(self, index: int, task: Task, back: Sequence[int] = ()) -> Task:
        """`task` with what holds for a frame: styles and their weights, ramps, and how certain the
        earlier results are, which are those of so many frames `back`."""
        is_anew, left = self._changes[index] >= ANEW, self._left[index]
        shares = [1 - min(1.0, self._change(index, each) + left) / 2 for each in back]
        return replace(
            task,
            styles=self._styles(index, task.styles),
            options=task.options.model_copy(update=self._options(index)),
            earlier=() if is_anew else tuple(map(_weakened, task.earlier, shares)),
        )

    def _styles(self, index: int, styles: tuple[Style, ...]) -> tuple[Style, ...]:
        """The styles of a frame; a backend that knows films gets those of weight 0, too: its
        targets are those of the whole film."""
        if not self._crossfade.is_moving:
            return styles
        weights = self._crossfade.weights(self._times[index], self._last)
        return tuple(
            replace(style, weight=weight)
            for style, weight in zip(styles, weights, strict=True)
            if weight or self._knows_films
        )

    def _options(self, index: int) -> dict[str, float]:
        """The options of a frame that are ramps."""
        return {name: ramp.at(self._times[index]) for name, ramp in self._ramps.items()}

    def _change(self, index: int, back: int = 1) -> float:
        """How much of the settings of a frame is another than so many frames before, in [0, 1]."""
        then, now = self._times[index - back], self._times[index]
        steps = [abs(ramp.at(now) - ramp.at(then)) for ramp in self._ramps.values()]
        fade = self._crossfade.change(then, now, self._last) if self._crossfade.is_moving else 0.0
        return min(1.0, fade + sum(steps))

    def is_settled(self, index: int) -> bool:
        """Whether the settings have been the same for so long that a frame with the content of the
        one before is the same as that."""
        return index > 0 and not self._changes[index] and self._left[index] < CALM

    def left(self, index: int) -> int:
        """How many frames are to be made, from one on; those of a picture are often the same."""
        rest = range(index, len(self._times))
        return sum(not (self._is_still and self.is_settled(each)) for each in rest)

    def columns(self) -> dict[str, list[float]]:
        """The weights and options of all frames by name, as far as they change."""
        columns, times = dict[str, list[float]](), self._times
        if self._crossfade.is_moving:
            weights = [self._crossfade.weights(time, self._last) for time in times]
            for number in range(len(self._spans)):
                columns[f"weight_{number + 1}"] = [each[number] for each in weights]
        return columns | {name: [*map(ramp.at, times)] for name, ramp in self._ramps.items()}

    def notes(self, end: float) -> tuple[str, ...]:
        """The times after the `end` of the film, in seconds, which have no effect."""
        late = [
            f"{key} {format_duration(time)} of {span.name}"
            for span in self._spans
            for key, time in (("from", span.begin), ("to", span.end))
            if time is not None and time > end
        ]
        late += [
            f"{name} at {format_duration(time)}"
            for name, ramp in self._ramps.items()
            for time in ramp.times
            if time > end
        ]
        if not late:
            return ()
        return (f"the film ends at {format_duration(end)}, before {', '.join(late)}",)


def _still_left(left: float, change: float) -> float:
    """What is left of changes to make up for, one frame later."""
    return 0.0 if change >= ANEW else FADING * (left + change)


def _weakened(earlier: Earlier, share: float) -> Earlier:
    return earlier if share == 1 else replace(earlier, certainty=earlier.certainty * share)


def _without_style(job: Job, gaps: Sequence[str], last: float) -> SidecarError:
    return SidecarError(
        "sidecar_invalid",
        f"{printable(job.sidecar)}: style: {printable('; '.join(gaps))}, and the last frame is "
        f"shown at {format_duration(last)}",
        "let the last style end later, or say no `to`, and it runs to the end",
    )


def _spans(job: Job) -> list[Span]:
    """When each style runs."""
    spans = []
    for number, style in enumerate(job.given("style")):
        region = next((each.source for each in job.given("region", number)), None)
        begin = style.begin or 0.0
        spans.append(Span(style.source, begin, style.end, style.weight, region))
    return spans
