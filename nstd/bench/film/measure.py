"""Makes scenes as films and frame by frame, and measures both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from nstd.backend import Backend, Earlier, Progress, Style, Task
from nstd.backends.gatys import colors
from nstd.backends.gatys.network_cache import Warm, network_for
from nstd.backends.gatys.problem import StyleTransfer, TaskPictures
from nstd.backends.gatys.pyramid import levels_of
from nstd.backends.gatys.tensors import to_tensor
from nstd.bench.film.scenes import KnownScene
from nstd.images.film.cuts import is_cut
from nstd.images.film.flow import earlier_of, warped

if TYPE_CHECKING:
    from nstd.backend import Mask, Pixels
    from nstd.system.disk_cache import DiskCache

SAMPLE = 8  # frames in the sample of a film
ALONE = 3  # frames, the last ones, that are also made each for itself
BACK = (1, 2, 4)  # how far back earlier frames lie
NEW = 0.01  # of the frame: what came into view is judged by itself if it is more
DEPTH = 65535  # frames are stored in 16 bits


@dataclass(frozen=True)
class MadeFrame:
    """A frame, and what it took: CPU seconds of the process, and evaluations."""

    pixels: Pixels
    seconds: float
    evaluations: int
    style: float


@dataclass
class MadeScene:
    """A scene as a film, and its last frames each for itself, by their numbers."""

    scene: KnownScene
    film: list[MadeFrame] = field(default_factory=list)
    alone: dict[int, MadeFrame] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    new: dict[int, tuple[float, float]] = field(default_factory=dict)
    """The style loss, of the film and of the frames alone, in what came into view in the scene."""

    def begun(self, number: int) -> int:
        """The first frame of the shot with the frame `number`."""
        return max((cut for cut in self.cuts if cut <= number), default=0)


class FilmMaker:
    """Makes frames with `backend`, as the worker does."""

    def __init__(
        self, backend: Backend, options: Any, style: Pixels, weights: Path, cache: DiskCache
    ) -> None:
        self._backend, self._options = backend, options
        self._style, self._weights, self._cache = style, weights, cache
        self._warm: Warm = {}

    def make(self, scene: KnownScene, show_step: Callable[[str], None]) -> MadeScene:
        """Make all frames, and the last ones again without those before them."""
        made = MadeScene(scene)
        for number in range(scene.count):
            show_step(f"{scene.name}: frame {number + 1} of {scene.count}")
            made.film.append(self._next(made, number))
        for number in range(scene.count - ALONE, scene.count):
            show_step(f"{scene.name}: frame {number + 1} for itself")
            made.alone[number] = self._frame(scene, number, tuple)
            where = came_into_view(scene, made.begun(number), number)
            if where.mean() > NEW:
                pair = made.film[number], made.alone[number]
                film, alone = (self._style_in(where, scene, number, each.pixels) for each in pair)
                made.new[number] = film, alone
        return made

    def _next(self, made: MadeScene, number: int) -> MadeFrame:
        frames = made.scene.frames
        if number and is_cut(frames[number - 1], frames[number]):
            made.cuts.append(number)
        begun = made.begun(number)
        back = BACK if getattr(self._options, "long_term", False) else BACK[:1]
        past = [number - step for step in back if number - step >= begun]

        def earlier() -> tuple[Earlier, ...]:
            return tuple(
                earlier_of(frames[each], frames[number], made.film[each].pixels) for each in past
            )

        return self._frame(made.scene, number, earlier)

    def _frame(
        self, scene: KnownScene, number: int, earlier: Callable[[], tuple[Earlier, ...]]
    ) -> MadeFrame:
        """A frame; the optical flow counts."""
        last = Progress(0, 0, 0.0)

        def report(progress: Progress) -> None:
            nonlocal last
            last = progress

        began = time.process_time()
        task = self._task(scene, number)
        pixels = self._backend.run(replace(task, earlier=earlier()), report).pixels
        seconds = time.process_time() - began
        stored = np.asarray(np.rint(pixels * DEPTH) / DEPTH, np.float32)
        return MadeFrame(stored, seconds, last.step, last.losses.get("style", float("nan")))

    def _task(self, scene: KnownScene, number: int) -> Task:
        return Task(
            scene.frames[number],
            (Style(self._style),),
            self._options,
            "cpu",
            self._weights,
            series=scene.frames[:: -(-scene.count // SAMPLE)],
            cache=self._cache,
            film=True,
        )

    def _style_in(self, where: Mask, scene: KnownScene, number: int, pixels: Pixels) -> float:
        """The style loss of `pixels` in a part of the frame; 1 for the content itself."""
        task = replace(self._task(scene, number), styles=(Style(self._style, region=where),))
        pictures = TaskPictures(colors.before(task))
        problem = StyleTransfer(network_for(task, None, self._warm), pictures, self._options)
        loss = problem.objective(levels_of(self._options, *where.shape)[-1])
        return loss(to_tensor(pixels, task.device)).terms["style"]


def came_into_view(scene: KnownScene, begun: int, number: int) -> Mask:
    """1 where the frame `number` shows what the frame `begun` of the same shot did not, else 0."""
    held = np.ones((*scene.size, 1), np.float32)
    for each in range(begun + 1, number + 1):
        flow, visible = scene.motion(each)
        moved = warped(np.repeat(held, 3, 2), flow)[..., :1]
        held = ((moved > 0.5) & visible[..., None]).astype(np.float32)
    return np.asarray(1 - held[..., 0], np.float32)


def figures(made: MadeScene) -> dict[str, Any]:
    """The figures of a scene: of the film, and of the frames that were made for themselves."""
    film = dict(enumerate(made.film))
    begun = {0, *made.cuts}
    later = [frame for number, frame in film.items() if number not in begun]
    first = [frame for number, frame in film.items() if number in begun] + [*made.alone.values()]
    return {
        "scene": made.scene.name,
        "cuts": made.cuts,
        "warp_error": {
            "film": _mean(_warp_errors(made.scene, film)),
            "alone": _mean(_warp_errors(made.scene, made.alone)),
        },
        "style_loss": {
            "film": fmean(film[number].style for number in made.alone),
            "alone": fmean(frame.style for frame in made.alone.values()),
        },
        "style_loss_new": {
            "film": _mean([film for film, _ in made.new.values()]),
            "alone": _mean([alone for _, alone in made.new.values()]),
        },
        "seconds": {
            "film": _mean([x.seconds for x in later]),
            "alone": _mean([x.seconds for x in first]),
        },
        "evaluations": {
            "film": _mean([x.evaluations for x in later]),
            "alone": _mean([x.evaluations for x in first]),
        },
    }


def _warp_errors(scene: KnownScene, frames: dict[int, MadeFrame]) -> Iterator[float]:
    """For each pair of frames the mean absolute difference, in grey levels of 255, of a frame and
    the one before, moved by the true motion, where that shows it."""
    for number, frame in frames.items():
        if number - 1 in frames and number != scene.cut:
            flow, visible = scene.motion(number)
            off = np.abs(frame.pixels - warped(frames[number - 1].pixels, flow))
            yield float(off[visible].mean() * 255)


def _mean(values: Iterator[float] | Sequence[float]) -> float:
    found = list(values)
    return fmean(found) if found else float("nan")
