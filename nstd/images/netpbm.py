"""Netpbm's binary formats, of any depth: PGM (P5), PPM (P6), PAM (P7), PFM (Pf, PF).

Pillow reads the others. Of these, it does not read PAM or PFM in colour, keeps only 8 bits of a
PPM's values, and takes a microsecond for each value if the highest one is not 255.
"""

from __future__ import annotations

import sys
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nstd.images.levels import to_shares
from nstd.images.model import Stored, UnreadKindError
from nstd.images.pillow import Opener, orientation_of

_BINARY = (b"P5", b"P6", b"P7", b"Pf", b"PF")
_LONGEST_LINE = 1000
_LINES = 100
_TUPLES = {
    "BLACKANDWHITE": (1, False),
    "GRAYSCALE": (1, False),
    "RGB": (3, False),
    "BLACKANDWHITE_ALPHA": (1, True),
    "GRAYSCALE_ALPHA": (1, True),
    "RGB_ALPHA": (3, True),
}
_CHANNELS = {b"P5": 1, b"P6": 3, b"Pf": 1, b"PF": 3}


def read_netpbm(file: BinaryIO, open_image: Opener) -> Stored:
    """The picture in `file`. Raises ValueError where it is broken or cut short."""
    file.seek(0)
    magic = file.read(2)
    if magic not in _BINARY:
        file.seek(0)
        with open_image(file) as image:
            image.load()
            if image.mode == "I":  # Pillow has scaled it to 16 bits
                values, notes = to_shares(np.asarray(image).astype(np.uint16)[:, :, None], 16)
                return Stored(values=values, notes=notes)
            return Stored(image, orientation=orientation_of(image))
    if magic == b"P7":
        return _read_pam(file, open_image)
    width, height = int(_token(file)), int(_token(file))
    scale = _token(file)
    channels = _CHANNELS[magic]
    if magic in (b"Pf", b"PF"):
        kind, bits, white = "<f4" if scale.startswith(b"-") else ">f4", 32, None
    else:
        white = _checked_white(int(scale))
        kind, bits = "u1" if white < 256 else ">u2", 16
    samples = _samples(file, open_image, (height, width, channels), kind)
    values, notes = to_shares(samples[::-1] if kind[-2] == "f" else samples, bits, white=white)
    return Stored(values=values, notes=notes)


def _read_pam(file: BinaryIO, open_image: Opener) -> Stored:
    said: dict[str, str] = {}
    for _ in range(_LINES):
        line = file.readline(_LONGEST_LINE).decode("ascii")
        if line.strip() == "ENDHDR":
            break
        if line.strip() and not line.startswith("#"):
            key, _, value = line.strip().partition(" ")
            said[key] = value.strip()
    shape = int(said["HEIGHT"]), int(said["WIDTH"]), int(said["DEPTH"])
    white = _checked_white(int(said["MAXVAL"]))
    kind = said.get("TUPLTYPE") or {1: "GRAYSCALE", 3: "RGB"}.get(shape[2], "")
    if kind not in _TUPLES:
        raise UnreadKindError(f"a PAM of {kind or 'a kind that it does not say'}")
    colors, has_alpha = _TUPLES[kind]
    if shape[2] != colors + has_alpha:
        raise ValueError(f"{kind} of {shape[2]} channels")
    samples = _samples(file, open_image, shape, "u1" if white < 256 else ">u2")
    values, _ = to_shares(samples[:, :, :colors], 16, white=white)
    alpha = to_shares(samples[:, :, colors], 16, white=white)[0] if has_alpha else None
    return Stored(values=values, alpha=alpha)


def _checked_white(white: int) -> int:
    if not 0 < white < 65536:
        raise ValueError(f"a highest value of {white}")
    return white


def _samples(
    file: BinaryIO, open_image: Opener, shape: tuple[int, int, int], kind: str
) -> NDArray[Any]:
    """The values, in the byte order of this machine."""
    height, width, channels = shape
    open_image.check_size(width, height)
    wanted = np.dtype(kind).itemsize * width * height * channels
    data = file.read(wanted)
    if len(data) < wanted:
        raise ValueError(f"{len(data):,} bytes of {wanted:,}")
    samples = np.frombuffer(data, kind).reshape(shape)
    native = samples.dtype.newbyteorder("=")
    return samples if sys.byteorder == "big" else samples.astype(native, copy=False)


def _token(file: BinaryIO) -> bytes:
    """The next word of the header after comments; reads one white space after it, too."""
    word = b""
    for _ in range(_LONGEST_LINE):
        letter = file.read(1)
        if letter == b"#":
            file.readline(_LONGEST_LINE)
        elif not letter or letter.isspace():
            if word:
                break
        else:
            word += letter
    if not word:
        raise ValueError("no header")
    return word
