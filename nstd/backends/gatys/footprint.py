"""Predicts the memory of a job before it starts, and checks whether the device has it.

Most of it is for the features of one tile, then for the pictures that the optimiser keeps. The
figures of each network (`Spec.footprints`) were fitted to peaks measured on the CPU; `nstd bench
large` prints predicted and measured figures.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nstd.backend import Task
from nstd.backends.gatys.device_memory import free_memory
from nstd.backends.gatys.lbfgs import remembered
from nstd.backends.gatys.options import TILE, Options
from nstd.backends.gatys.precision import precision_for
from nstd.backends.gatys.pyramid import Level, levels_of
from nstd.backends.gatys.tiles import tiles_of
from nstd.errors import BackendError
from nstd.system import proc, reservations

if TYPE_CHECKING:
    from nstd.backend import Pixels

PIXEL = 12  # bytes: three channels in float32
HELD = 22  # pictures of a level's size in memory during a step, without the pairs
SMALLEST = 64  # side of the smallest tile, in pixels

_AT_REST: dict[str, int] = {}


def admitted(task: Task) -> Task:
    """`task` with tiles small enough for the free memory of the device.

    On the CPU, its memory is reserved until `reservations.release`. Raises BackendError
    `out_of_memory` when even the smallest tiles do not fit.
    """
    with reservations.locked():
        task = _fitting(task, free(task))
        if task.device == "cpu":
            reservations.reserve(predicted_peak(task))
    return task


def _fitting(task: Task, room: int | None) -> Task:
    if room is None:
        return task
    given: Task | None = task
    while given is not None:
        least = needed(given)
        if least <= room:
            return given
        given = in_smaller_tiles(given)
    raise BackendError(
        "out_of_memory",
        f"{_size_text(task)} needs {least / 1e9:.2g} GB, and {task.device} has {room / 1e9:.2g} GB",
        "ask for a smaller output size, or give the service fewer slots or more memory",
    )


def in_smaller_tiles(task: Task) -> Task | None:
    """The same job with tiles of half the size; None when they would be too small to help."""
    height, width, _ = task.content.shape
    side = (task.options.tile_side(height, width) or min(TILE, max(height, width))) // 2
    if side < SMALLEST:
        return None
    return replace(task, options=task.options.model_copy(update={"tile": side}))


def needed(task: Task) -> int:
    """Bytes that `task` needs on its device, in addition to those of a process before its first
    job."""
    options: Options = task.options
    levels = levels_of(options, *task.content.shape[:2])
    return sum(map(_held, _pictures(task))) + max(
        _level(level, options, task.device) for level in levels
    )


def predicted_peak(task: Task) -> int:
    """The predicted peak of `task`, in bytes: of the process, or of its accelerator."""
    return needed(task) + (_at_rest(task) if task.device == "cpu" else 0)


def free(task: Task) -> int | None:
    """Bytes that `task` may allocate on its device; None: unknown.

    Memory that this process kept from an earlier job counts as free, because it is used again. On
    the CPU, memory that other workers have reserved does not.
    """
    if task.device != "cpu":
        return free_memory(task.device)
    left_here = proc.available()
    if left_here is None:
        return None
    return left_here - reservations.outstanding() + proc.resident() - _at_rest(task)


def _level(level: Level, options: Options, device: str) -> int:
    """Bytes for one level: features, and pictures of its size."""
    footprint = options.spec.footprints[precision_for(device, options.precision)]
    seen = max(tile.seen.pixels for tile in tiles_of(options, level.height, level.width))
    pairs = 0
    if options.optimizer_used == "lbfgs":
        moves = max(0, level.evaluations - 2)  # the first evaluation is not a move
        pairs = min(moves, remembered(PIXEL * level.pixels))
    pictures = PIXEL * level.pixels * (HELD + 2 * pairs)
    return footprint.always + footprint.per_pixel * seen + pictures


def _held(pixels: Pixels) -> int:
    """Bytes of a picture, decoded and as a tensor."""
    height, width, _ = pixels.shape
    return int(2 * PIXEL * height * width)


def _at_rest(task: Task) -> int:
    """Bytes of this process before the pictures of its first job: code and libraries."""
    decoded = sum(pixels.nbytes for pixels in _pictures(task))
    return _AT_REST.setdefault("process", proc.resident() - decoded)


def _pictures(task: Task) -> list[Pixels]:
    earlier = (each.pixels for each in task.earlier)
    return [task.content, *(style.pixels for style in task.styles), *task.series, *earlier]


def _size_text(task: Task) -> str:
    height, width, _ = task.content.shape
    return f"{task.options.network} at {width} x {height} pixels"
