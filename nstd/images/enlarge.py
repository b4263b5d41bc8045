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
    say so. Raises PictureError `picture_refused`, with the file's `name`, for more than that.
    """

    name: str
    side: int
    max_pixels: int
    notes: tuple[str, ...] = field(default=(), init=False)

    def __call__(self, image: Image.Image) -> Image.Image:
        """`image` in the wanted size."""
        longest = max(image.size)
        width, height = (max(1, round(each * self.side / longest)) for each in image.size)
        if self.side > longest:
            self.check(image)
            given = f"{image.width} x {image.height}"
            self.notes = (f"enlarged from {given} to {width} x {height} pixels, as was asked for",)
        if (width, height) == image.size:
            return image
        return image.resize((width, height), Image.Resampling.LANCZOS)

    def check(self, image: Image.Image) -> None:
        """Raise the error if `image` may not be enlarged to that size."""
        longest = max(image.size)
        width, height = (max(1, round(each * self.side / longest)) for each in image.size)
        pixels = width * height
        if self.side > MOST * longest:
            raise PictureError(
                "picture_refused",
                f"{self.name}: {image.width} x {image.height} pixels, and output.size "
                f"{self.side} is more than {MOST} times that",
                f"ask for an output.size of at most {MOST * longest}, or take a larger picture",
            )
        if self.side > longest and pixels > self.max_pixels:
            raise PictureError(
                "picture_refused",
                f"{self.name}: enlarged to output.size {self.side} it has {pixels:,} pixels, more "
                f"than the limit of {self.max_pixels:,}",
                "ask for a smaller output.size, or raise limits.picture_pixels in the config",
            )
