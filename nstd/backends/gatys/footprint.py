"""How much memory a job needs, known before it is begun, and whether the device has it.

Features of what is seen at once take most of it, then the pictures that the optimiser remembers.
The figures of each network (`Spec.footprints`) were fitted to peaks measured on the CPU;
`nstd bench large` prints both side by side.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from nstd.backend import Task
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
HELD = 22  # pictures of a level's size that an evaluation and a step hold beside the pairs
SMALLEST = 64  # pixels of a tile that is worth a try

_AT_REST: dict[str, int] = {}


def admitted(task: Task) -> Task:
    """`task`, in tiles as small as the device's free memory asks for.

    On the CPU what it will take is reserved, until `reservations.release`. Raises BackendError
    `out_of_memory` where no tiles would do.
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
        f"{_told(task)} needs {least / 1e9:.2g} GB, and {task.device} has {room / 1e9:.2g} GB",
        "ask for a smaller output size, or give the service fewer slots or more memory",
    )


def in_smaller_tiles(task: Task) -> Task | None:
    """The same job in tiles of half the size; None where they would be too small to help."""
    height, width, _ = task.content.shape
    side = (task.options.tile_side(height, width) or min(TILE, max(height, width))) // 2
    if side < SMALLEST:
        return None
    return replace(task, options=task.options.model_copy(update={"tile": side}))


def needed(task: Task) -> int:
    """Bytes that `task` takes on its device beyond what a process holds before its first job."""
    options: Options = task.options
    levels = levels_of(options, *task.content.shape[:2])
    return sum(map(_held, _pictures(task))) + max(
        _level(level, options, task.device) for level in levels
    )


def predicted_peak(task: Task) -> int:
    """The most bytes that `task` will hold: of the process, or of its accelerator."""
    return needed(task) + (_at_rest(task) if task.device == "cpu" else 0)


def free(task: Task) -> int | None:
    """Bytes that `task` may take on its device; None: unknown.

    What a process kept of an earlier job counts as free, for it is used again. On the CPU, what
    other workers have reserved does not.
    """
    if task.device != "cpu":
        left, _ = torch.cuda.mem_get_info(task.device)
        kept = torch.cuda.memory_reserved(task.device) - torch.cuda.memory_allocated(task.device)
        return int(left + kept)
    left_here = proc.available()
    if left_here is None:
        return None
    return left_here - reservations.outstanding() + proc.resident() - _at_rest(task)


def _level(level: Level, options: Options, device: str) -> int:
    """Bytes of one level: features, and pictures of its size."""
    footprint = options.spec.footprints[precision_for(device, options.precision)]
    seen = max(tile.seen.pixels for tile in tiles_of(options, level.height, level.width))
    pairs = 0
    if options.optimizer_used == "lbfgs":
        moves = max(0, level.evaluations - 2)  # before the last evaluation, the first being no move
        pairs = min(moves, remembered(PIXEL * level.pixels))
    pictures = PIXEL * level.pixels * (HELD + 2 * pairs)
    return footprint.always + footprint.per_pixel * seen + pictures


def _held(pixels: Pixels) -> int:
    """A picture as it was decoded, and as a tensor."""
    height, width, _ = pixels.shape
    return int(2 * PIXEL * height * width)


def _at_rest(task: Task) -> int:
    """What this process held before the pictures of its first job: its code and libraries."""
    decoded = sum(pixels.nbytes for pixels in _pictures(task))
    return _AT_REST.setdefault("process", proc.resident() - decoded)


def _pictures(task: Task) -> list[Pixels]:
    return [task.content, *(style.pixels for style in task.styles), *task.series]


def _told(task: Task) -> str:
    height, width, _ = task.content.shape
    return f"{task.options.network} at {width} x {height} pixels"
