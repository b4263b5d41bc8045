"""What the three readers have in common: each gives the frames of one film, all of them, in order.

A frame is decoded first, and developed, which takes longer, only if it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Protocol

from nstd.images.film.model import FilmFacts
from nstd.images.model import Picture, Scale


@dataclass(frozen=True)
class DecodedFrame:
    """A decoded frame.

    `time` is on the clock of the film's file, `duration` what the file says, 0 if it says nothing,
    both in seconds. `size` is width and height of the frame as it is seen. `develop` makes the
    picture, in the size that its argument gives to it; it has to be called before the next frame
    is decoded. `has_alpha` is whether it may have transparent parts.
    """

    time: Fraction
    duration: Fraction
    size: tuple[int, int]
    develop: Callable[[Scale], Picture]
    has_alpha: bool = False


class Source(Protocol):
    """A film's file or folder."""

    facts: FilmFacts

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual about the film, as far as it has been decoded."""
        ...

    def decoded(self) -> Generator[DecodedFrame]:
        """All frames from the first one on, with ascending times; can be called again."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def opened_again(file: BinaryIO) -> BinaryIO:
    """The same file, even if its name is another's by now, with a position of its own."""
    return Path(f"/proc/self/fd/{file.fileno()}").open("rb")
