"""`python -m nstd.images.check PIXELS BYTES SIDE FILE ...`: checks whether a job can use pictures.

For commands, which do not load the decoders themselves. SIDE is the longest side, in pixels, to
which a picture is to be brought; 0: any. Prints a JSON list: for each file null, or the code,
message and hint of the error that a job would meet.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image

from nstd.errors import PictureError
from nstd.images.decode import decode
from nstd.images.enlarge import Enlarging

_SIDE = 64


def check(path: Path, max_pixels: int, max_bytes: int, side: int = 0) -> list[str] | None:
    """The code, message and hint of the error when the picture is decoded; None: no error."""

    def shrink(image: Image.Image) -> Image.Image:
        if side:
            Enlarging(path.name, side, max_pixels).check(image.size)
        image.thumbnail((_SIDE, _SIDE))
        return image

    try:
        decode(path, max_pixels, max_bytes, shrink)
    except PictureError as error:
        return [error.code, error.message, error.hint]
    return None


def main(pixels: str, size: str, *asked: str) -> None:
    """Check each of the files, which follow their sides."""
    pairs = zip(asked[::2], asked[1::2], strict=True)
    answers = [check(Path(file), int(pixels), int(size), int(side)) for side, file in pairs]
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
