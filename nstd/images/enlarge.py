"""Enlarges pictures that are smaller than the size that a sidecar asks for."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image

from nstd.errors import PictureError

MOST = 4
"""How many times as large as its content a result may be; larger ones would show no detail."""


@dataclass
class Enlarging:
    """A `Scale` that makes the longest side of a picture `side` pixels long.

    A smaller picture is enlarged by Lanczos, up to `MOST` times and to `max_pixels`; `notes` then
    say so. `limit` is the config's name for `max_pixels`. Raises PictureError `picture_refused`,
    with the file's `name`, for more than that.
    """

    name: str
    side: int
    max_pixels: int
    limit: str = "picture_pixels"
    notes: tuple[str, ...] = field(default=(), init=False)

    def __call__(self, image: Image.Image) -> Image.Image:
        """`image` in the wanted size."""
        size = self.size_for(image.size)
        return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)

    def size_for(self, given: tuple[int, int]) -> tuple[int, int]:
        """The size for a picture of the `given` width and height."""
        if self.side > max(given):
            self.check(given)
            width, height = size_of_side(given, self.side)
            self.notes = (
                f"enlarged from {given[0]} x {given[1]} to {width} x {height} pixels, "
                "as was asked for",
            )
        return size_of_side(given, self.side)

    def check(self, given: tuple[int, int]) -> None:
        """Raise the error if a picture of this width and height may not be enlarged so far."""
        longest = max(given)
        width, height = size_of_side(given, self.side)
        pixels = width * height
        if self.side > MOST * longest:
            raise PictureError(
                "picture_refused",
                f"{self.name}: {given[0]} x {given[1]} pixels, and output.size "
                f"{self.side} is more than {MOST} times that",
                f"ask for an output.size of at most {MOST * longest}, or take a larger picture",
            )
        if self.side > longest and pixels > self.max_pixels:
            raise PictureError(
                "picture_refused",
                f"{self.name}: enlarged to output.size {self.side} it has {pixels:,} pixels, more "
                f"than the limit of {self.max_pixels:,}",
                f"ask for a smaller output.size, or raise limits.{self.limit} in the config",
            )


def size_of_side(given: tuple[int, int], side: int) -> tuple[int, int]:
    """Width and height in the same proportion, with a longest side of `side` pixels."""
    longest = max(given)
    width, height = (max(1, round(each * side / longest)) for each in given)
    return width, height
