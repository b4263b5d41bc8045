"""A picture that is shown for a while: a film whose frames are all the same."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction

from nstd.images.film.model import FilmFacts
from nstd.images.film.source import DecodedFrame
from nstd.images.model import Picture, Scale


class Still:
    """The frames of a film that shows `picture`, `rate` of them in each second."""

    notes = ()

    def __init__(self, picture: Picture, seconds: Fraction, rate: Fraction) -> None:
        self._picture, self._duration = picture, 1 / rate
        self._count = round(seconds * rate)
        width, height = picture.size
        self.facts = FilmFacts(
            kind="still",
            width=width,
            height=height,
            codec="",
            frames=self._count,
            seconds=float(self._count * self._duration),
            rate=rate,
        )

    def decoded(self) -> Generator[DecodedFrame]:
        """All frames from the first one on."""
        has_alpha = self._picture.alpha is not None
        for number in range(self._count):
            time = number * self._duration
            yield DecodedFrame(time, self._duration, self._picture.size, self._shown, has_alpha)

    def close(self) -> None:
        """Nothing is open."""

    def _shown(self, scale: Scale) -> Picture:  # noqa: ARG002 - it has the wanted size
        return self._picture
