"""`python -m nstd.images.look PIXELS BYTES FILE...`: can these pictures be used?

For commands, which load no decoder themselves. Prints a list as JSON: for each file null, or the
code, message and hint of the error that a job would meet.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from nstd.errors import PictureError
from nstd.images.decode import load_image

_SIDE = 64


def look(path: Path, max_pixels: int, max_bytes: int) -> list[str] | None:
    """The error that the picture is, or None."""
    try:
        load_image(path, max_pixels=max_pixels, max_bytes=max_bytes, max_side=_SIDE)
    except PictureError as error:
        return [error.code, error.message, error.hint]
    return None


def main(pixels: str, size: str, *files: str) -> None:
    """Look at each of the files."""
    answers = [look(Path(file), int(pixels), int(size)) for file in files]
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
