"""Small pictures of a job for the gallery, made by its worker, which has already decoded them.

They are in the job's folder and are published with the result, in its folder `preview`. After an
error the job goes on without the small picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from nstd.images.thumbnails import encode_strip, encode_view
from nstd.queue.paths import JobPaths
from nstd.system.durable import Files

if TYPE_CHECKING:
    from nstd.backend import Mask, Pixels, Task

LARGE, MIDDLE, SMALL = 1280, 640, 480
"""Longest sides in pixels: of pictures to compare, of a style, and of pictures in a list."""
_MOST_STYLES = 8


class Thumbnails:
    """Makes the small pictures of one attempt; `report` is called when one could not be made."""

    def __init__(self, paths: JobPaths, files: Files, report: Callable[[str], None]) -> None:
        self._paths, self._files, self._report = paths, files, report

    def of_inputs(self, task: Task) -> None:
        """The content, the styles, where they apply, the start, and a strip of the first two."""
        styles = [style.pixels for style in task.styles[:_MOST_STYLES]]
        self._make("content", lambda: encode_view(task.content, LARGE))
        for number, style in enumerate(styles, start=1):
            self._make(f"style-{number}", lambda style=style: encode_view(style, MIDDLE))  # type: ignore[misc]
        for name, grey in _masks(task):
            self._make(name, lambda grey=grey: encode_view(_in_color(grey), SMALL))  # type: ignore[misc]
        if (init := task.init) is not None:
            self._make("init", lambda: encode_view(init, MIDDLE))
        self._make("strip", lambda: encode_strip([task.content, *styles]))

    def of_result(self, pixels: Pixels) -> None:
        """Make those of the result: one to compare with the content, and one for lists."""
        self._make("result", lambda: encode_view(pixels, LARGE))
        self._make("thumb", lambda: encode_view(pixels, SMALL))

    def _make(self, name: str, encode: Callable[[], bytes]) -> None:
        try:
            self._files.write(self._paths.view(name), encode(), durable=False)
        except Exception as error:  # of disk or encoder: the result is not affected
            self._report(f"no preview of the {name}: {error}")


def _masks(task: Task) -> Iterator[tuple[str, Mask]]:
    """The regions and masks of the styles, with the names of their views."""
    for number, style in enumerate(task.styles[:_MOST_STYLES], start=1):
        for role, grey in (("region", style.region), ("mask", style.mask)):
            if grey is not None:
                yield f"{role}-{number}", grey


def _in_color(grey: Mask) -> Pixels:
    """(height, width) as (height, width, 3)."""
    return np.repeat(grey[:, :, None], 3, axis=2)
