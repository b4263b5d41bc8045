"""Small pictures of a job for the gallery, made by its worker, which has already decoded them.

They are in the job's folder and are published with the result, in its folder `preview`. After an
error the job goes on without the small picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nstd.images import encode_strip, encode_view
from nstd.queue.paths import JobPaths
from nstd.system.durable import Files

if TYPE_CHECKING:
    from nstd.backend import Pixels, Task

LARGE, MIDDLE, SMALL = 1280, 640, 480
"""Longest sides in pixels: of pictures to compare, of a style, and of pictures in a list."""
_MOST_STYLES = 8


class Thumbnails:
    """Makes the small pictures of one attempt; `tell` is called when one could not be made."""

    def __init__(self, paths: JobPaths, files: Files, tell: Callable[[str], None]) -> None:
        self._paths, self._files, self._tell = paths, files, tell

    def of_inputs(self, task: Task) -> None:
        """Make those of the content and the styles, and one strip of all of them."""
        styles = [style.pixels for style in task.styles[:_MOST_STYLES]]
        self._make("content", lambda: encode_view(task.content, LARGE))
        for number, style in enumerate(styles, start=1):
            self._make(f"style-{number}", lambda style=style: encode_view(style, MIDDLE))  # type: ignore[misc]
        self._make("strip", lambda: encode_strip([task.content, *styles]))

    def of_result(self, pixels: Pixels) -> None:
        """Make those of the result: one to compare with the content, and one for lists."""
        self._make("result", lambda: encode_view(pixels, LARGE))
        self._make("thumb", lambda: encode_view(pixels, SMALL))

    def _make(self, name: str, encode: Callable[[], bytes]) -> None:
        try:
            self._files.write(self._paths.view(name), encode(), durable=False)
        except Exception as error:  # of disk or encoder: the result is not affected
            self._tell(f"no preview of the {name}: {error}")
