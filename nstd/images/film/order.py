"""What a writer of films is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from nstd.images.film.kinds import FilmFormat
from nstd.images.film.model import FilmFacts, FrameChoice

NAMES: dict[FilmFormat, str] = {
    "mp4": "MP4",
    "webm": "WebM",
    "gif": "GIF",
    "webp": "WebP",
    "apng": "APNG",
    "frames": "a folder of frames",
}
"""The formats, for people."""
_USUAL_RATE = Fraction(25)


@dataclass(frozen=True)
class Order:
    """A film to be written to `path`, with times in `unit` seconds; the rest as `write_film`."""

    path: Path
    format: FilmFormat
    unit: Fraction
    source: Path
    facts: FilmFacts
    choice: FrameChoice
    recipe: str

    @property
    def rate(self) -> Fraction:
        """Frames per second, roughly."""
        return self.facts.rate or _USUAL_RATE

    @property
    def is_cut(self) -> bool:
        """Whether the start or the end of the source is left out."""
        last, frames = self.choice.last, self.facts.frames
        return self.choice.first > 1 or (last is not None and (frames is None or last < frames))
