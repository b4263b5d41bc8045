"""`python -m nstd.images.check PIXELS BYTES FILE...`: checks whether pictures can be decoded.

For commands, which do not load the decoders themselves. Prints a JSON list: for each file null, or
the code, message and hint of the error that a job would meet.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from nstd.errors import PictureError
from nstd.images.decode import load_image

_SIDE = 64


def check(path: Path, max_pixels: int, max_bytes: int) -> list[str] | None:
    """The code, message and hint of the error when the picture is decoded; None: no error."""
    try:
        load_image(path, max_pixels=max_pixels, max_bytes=max_bytes, max_side=_SIDE)
    except PictureError as error:
        return [error.code, error.message, error.hint]
    return None


def main(pixels: str, size: str, *files: str) -> None:
    """Check each of the files."""
    answers = [check(Path(file), int(pixels), int(size)) for file in files]
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
