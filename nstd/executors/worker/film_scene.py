"""The scenes of a film: what a backend is told of the past of each frame.

What depends on the contents alone is found beside the work on the frame before.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import BaseModel

from nstd.backend import Backend, Earlier, takes
from nstd.images.film.cuts import is_cut
from nstd.images.film.flow import motion, warped

if TYPE_CHECKING:
    from nstd.backend import Mask, Pixels
    from nstd.images.film.flow import Flow

_NEAR, _FAR = (1,), (1, 2, 4)
"""How many frames back the earlier results lie: usually, and with the long-term loss of Ruder et
al. (2016)."""


def reach_of(backend: Backend, options: BaseModel) -> tuple[int, ...]:
    """How many frames back the results lie that a backend uses, with its option `long_term`."""
    if "earlier" not in takes(backend):
        return ()
    return _FAR if getattr(options, "long_term", False) else _NEAR


class Past(NamedTuple):
    """What is known of a frame before it is made: whether a scene begins with it, and how it moves.

    Each motion is from a frame so many back, with its flow and where that can be trusted. With
    `is_same`, the content is that of the frame just before.
    """

    is_first: bool
    motions: tuple[tuple[int, Flow, Mask], ...] = ()
    is_same: bool = False

    @property
    def back(self) -> tuple[int, ...]:
        """How many frames back the known motions begin."""
        return tuple(back for back, *_ in self.motions)


class Scene:
    """The frames since the last cut. `look` may run ahead of `earlier` and `add`."""

    def __init__(self, back: tuple[int, ...]) -> None:
        """`back` says how many frames back the results lie that are wanted; with none, no cuts are
        looked for."""
        self._back, self.reach = back, max(back, default=0)
        """`reach` is how many frames before a frame have to be known."""
        self._contents: deque[Pixels] = deque(maxlen=self.reach or 1)
        self._results: deque[Pixels] = deque(maxlen=self.reach or 1)

    def look(self, content: Pixels) -> Past:
        """The past of the next frame, by its content."""
        before = self._contents
        is_first = not before or (bool(self._back) and is_cut(before[-1], content))
        if is_first:
            before.clear()
        is_same = not is_first and np.array_equal(before[-1], content)
        back = [each for each in self._back if each <= len(before)]
        motions = tuple((each, *motion(before[-each], content)) for each in back)
        before.append(content)
        return Past(is_first, motions, is_same)

    def earlier(self, past: Past) -> tuple[Earlier, ...]:
        """The wanted results, moved to where the frame shows their parts. Called before `add`."""
        if past.is_first:
            self._results.clear()
        return tuple(
            Earlier(warped(self._results[-back], flow), known) for back, flow, known in past.motions
        )

    def add(self, result: Pixels) -> None:
        """The frame is made."""
        self._results.append(result)
