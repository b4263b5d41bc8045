"""The frames of the scene so far: what a backend is told of the past of a frame."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pydantic import BaseModel

from nstd.backend import Backend, Earlier, takes
from nstd.images.film.cuts import is_cut
from nstd.images.film.flow import earlier_of

if TYPE_CHECKING:
    from nstd.backend import Pixels

_NEAR, _FAR = (1,), (1, 2, 4)
"""How many frames back the earlier results lie: usually, and with the long-term loss of Ruder et
al. (2016)."""


def reach_of(backend: Backend, options: BaseModel) -> tuple[int, ...]:
    """How many frames back the results lie that a backend uses, with its option `long_term`."""
    if "earlier" not in takes(backend):
        return ()
    return _FAR if getattr(options, "long_term", False) else _NEAR


class Scene:
    """The contents and results of the last frames since the last cut, the newest last."""

    def __init__(self, back: tuple[int, ...]) -> None:
        """`back` says how many frames back the results lie that are wanted; with none, no cuts are
        looked for."""
        self._back = back
        self._frames: deque[tuple[Pixels, Pixels]] = deque(maxlen=max(back, default=1))

    @property
    def reach(self) -> int:
        """How many frames before a frame have to be known."""
        return max(self._back, default=0)

    def begins_with(self, content: Pixels) -> bool:
        """Whether a scene begins with this frame; what was before is forgotten then."""
        is_new = not self._frames or (bool(self._back) and is_cut(self._frames[-1][0], content))
        if is_new:
            self._frames.clear()
        return is_new

    def earlier(self, content: Pixels) -> tuple[Earlier, ...]:
        """The wanted results, moved to where the frame with this content shows their parts."""
        past = [self._frames[-back] for back in self._back if back <= len(self._frames)]
        return tuple(earlier_of(before, content, result) for before, result in past)

    def add(self, content: Pixels, result: Pixels) -> None:
        """The frame is made."""
        self._frames.append((content, result))
