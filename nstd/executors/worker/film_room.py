"""Whether the disk has room for a film: for its frames, which lie in the folder of the job, and for
the film that is made of them."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nstd.errors import PictureError
from nstd.executors.worker.attempt import DISK_BYTES
from nstd.system.units import counted, format_size

if TYPE_CHECKING:
    from nstd.images.film.reader import Film

FRAME_BYTES = 6.0
"""Bytes of a stored frame per pixel, a PNG of 16 bits: painted pictures have 5.7 to 5.9, and 6.4 to
6.7 with transparency."""
_LOSSLESS = {"frames": 2.5, "apng": 2.5}
"""Bytes of the film per pixel of a frame, in formats without loss; all others take little."""


def check_room(film: Film, name: str, format: str, folder: Path, stored: int, size: int) -> None:
    """Check that the disk of `folder` has room for what is missing of the film `name`.

    `stored` frames are there, with `size` bytes together: they tell how large the others will be.
    Raises OSError `ENOSPC` if that is not free now, so that the job waits and others go first, and
    PictureError `picture_refused` if the disk could never hold the film.
    """
    width, height = film.size
    pixels, frames = width * height, len(film.moments)
    frame = size / stored if stored else FRAME_BYTES * pixels
    result = _LOSSLESS.get(format, 0.0) * pixels * frames + DISK_BYTES * pixels
    disk = shutil.disk_usage(folder)
    if frame * frames + result > disk.total:
        what = f"its {counted(frames, 'frame')} of {width} x {height} pixels need some"
        needed, there = format_size(frame * frames + result), format_size(disk.total)
        raise PictureError(
            "picture_refused",
            f"{name}: {what} {needed} in `work` until it is done, and that disk has {there} in all",
            "choose some with output.frames or output.every, ask for a smaller output.size, or let "
            "folders.work be on a larger disk",
        )
    if (needed_now := frame * (frames - stored) + result) > disk.free:
        missing = format_size(needed_now)
        why = (
            f"what is missing of {name} needs some {missing}, and {format_size(disk.free)} is free"
        )
        raise OSError(errno.ENOSPC, why, str(folder))
