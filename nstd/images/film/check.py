"""`python -m nstd.images.film.check FRAMES SECONDS PIXELS BYTES SIDE FILE ...`: checks films.

For commands, which load no decoders. SIDE is the longest side, in pixels, to which the frames are
to be brought; 0: any. Prints a JSON list: for each file null, or the code, message and hint of the
error that its job would meet. Only the first frame is decoded: the job decodes all.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from nstd.errors import PictureError
from nstd.images.film.model import FilmLimits, FrameChoice
from nstd.images.film.reader import open_film


def check(path: Path, limits: FilmLimits, side: int) -> list[str] | None:
    """The code, message and hint of the error when the film is opened; None: no error."""
    try:
        open_film(
            path,
            limits=limits,
            choice=FrameChoice(first=1, last=1),
            max_side=side or None,
            enlarge=bool(side),
        ).close()
    except PictureError as error:
        return [error.code, error.message, error.hint]
    return None


def main(frames: str, seconds: str, pixels: str, size: str, *asked: str) -> None:
    """Check each of the files, which follow their sides."""
    limits = FilmLimits(int(frames), float(seconds), int(pixels), int(size))
    pairs = zip(asked[::2], asked[1::2], strict=True)
    answers = [check(Path(file), limits, int(side)) for side, file in pairs]
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
