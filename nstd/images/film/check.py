"""`python -m nstd.images.film.check FRAMES SECONDS PIXELS BYTES SIDE FILE ...`: checks films.

For commands, which load no decoders. SIDE is the longest side, in pixels, to which the frames are
to be brought; 0: any. A FILE can be one frame of a film, like `clip.mp4#0`. Prints a JSON list: for
each file null, or the code, message and hint of the error that its job would meet. Of a whole film
only the first frame is decoded: the job decodes all.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from nstd.documents.film import split_frame
from nstd.errors import PictureError
from nstd.images.film.model import FilmLimits
from nstd.images.film.one_frame import open_at


def check(path: Path, limits: FilmLimits, side: int) -> list[str] | None:
    """The code, message and hint of the error when the film is opened; None: no error."""
    try:
        file, frame = (path, None) if path.is_dir() else split_frame(str(path))
        open_at(
            Path(file), frame or 0, limits=limits, max_side=side or None, enlarge=bool(side)
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
