"""`python -m nstd.images.verify FOLDER`: reads finished pictures, for `nstd verify`.

On each line of standard input stands a JSON list: the name of a file in FOLDER, its width and
height, and the number of its frames if it is a film; they are null if they are not known. For each,
a line is printed at once: a JSON object with the `sha256` of the file, and in `error` why it cannot
be decoded; "": it can.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from nstd.errors import SidecarError, clean, printable
from nstd.system.child import die_with_parent
from nstd.system.nofollow import Folder

_SIDE = 16384
"""The longest side of a result, in pixels."""


def verify(
    folder: Folder,
    name: str,
    width: int | None = None,
    height: int | None = None,
    frames: int | None = None,
) -> dict[str, str]:
    """The SHA-256 of a picture, and why it cannot be decoded to that size. Follows no link."""
    if frames:
        from nstd.images.film.verify import verify_film

        return verify_film(folder, name, width, height, frames)
    try:
        with folder.open(name) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return {"sha256": sha256, "error": _decode(file, width, height)}
    except (OSError, SidecarError) as error:
        return {"sha256": "", "error": printable(clean(error))}


def _decode(file: BinaryIO, width: int | None, height: int | None) -> str:
    try:
        with Image.open(file, formats=("PNG", "JPEG", "WEBP", "TIFF")) as image:
            if max(image.size) > _SIDE or (width and height and image.size != (width, height)):
                return f"it has {image.width} x {image.height} pixels"
            image.load()
    except Exception as error:  # decoders raise errors of many kinds
        return printable(clean(error)) or type(error).__name__
    return ""


def main(folder: str) -> None:
    """Answer each line of standard input; the process ends with its parent."""
    die_with_parent()
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = _SIDE**2
    for line in sys.stdin:
        answer = verify(Folder(Path(folder)), *json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
