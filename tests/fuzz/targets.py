"""What is promised for any bytes at all: a function for each reader, which raises or all is well.

A refusal is fine; any other exception is a finding.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import av  # noqa: F401 - what a reader would import must not count as its memory
import imagecodecs  # noqa: F401
import numpy as np
import tifffile  # noqa: F401

from nstd.backends.gatys import Gatys
from nstd.documents.axis import check_size
from nstd.documents.backend_options import parse_options
from nstd.documents.config import Config, load_config
from nstd.documents.grid import parse_grid
from nstd.documents.settings import FolderSettings
from nstd.documents.sidecar import SidecarFile
from nstd.errors import CODES, FileError, NstdError, PictureError, SidecarError
from nstd.images.decode import load_image
from nstd.images.film import animation, container  # noqa: F401
from nstd.images.film.kinds import film_kind
from nstd.images.film.model import FilmLimits
from nstd.images.film.reader import open_film
from nstd.images.mask import load_mask
from nstd.intake.plan import plain_order
from nstd.system.nofollow import join

Target = Callable[[bytes], None]

MAX_PIXELS, MAX_BYTES = 1_000_000, 2 * 2**20
"""The limits that pictures are read with here; the config's are a hundred times as large."""
BYTES_PER_PIXEL = 60
"""Memory that decoding may take, for each pixel of `limits.picture_pixels`; RGBA takes 50."""
MEMORY = BYTES_PER_PIXEL * MAX_PIXELS + 8 * MAX_BYTES
FILM_LIMITS = FilmLimits(frames=50, seconds=60, pixels=100_000, bytes=MAX_BYTES)
MEMORY_OF = {"film": MEMORY + (64 << 20)}
"""For targets that take more: FFmpeg makes tables of a fixed size."""
SECONDS = 20.0
"""For one input, on a busy machine; a reader takes a thousandth of it."""
_NAME = "sub/beach\n\x1b[31m\udcff.yaml"
_MOST_MEMBERS = 20
_LONGEST_MESSAGE = 20_000
_FILM_SUFFIXES = (".mp4", ".gif", "")
_SUFFIXES = (".png", ".jpg", ".tiff", ".webp", ".gif", "", ".txt")


def sidecar(data: bytes) -> None:
    """A sidecar is read, or refused with its places; what is read cannot leave its bounds."""
    try:
        grid = parse_grid(data, _NAME)
        axes = grid.axes(Gatys.Options)
        check_size(_NAME, axes, _MOST_MEMBERS)
        for parsed in grid.members(axes):
            _check_sidecar(parsed)
            parse_options(parsed, Gatys.Options)
    except SidecarError as error:
        _check_refusal(error)


def _check_sidecar(parsed: SidecarFile) -> None:
    order = plain_order(_NAME, parsed, Config())
    json.dumps(order.model_dump(), allow_nan=False).encode()
    assert order.name == os.path.basename(order.name), order.name  # noqa: PTH119 - text only
    assert order.name.isprintable() and not order.name.startswith("."), order.name
    assert len(os.fsencode(order.name)) <= 255
    for source in parsed.sidecar.pictures:
        try:
            place = join("sub", source)
        except SidecarError as error:
            assert error.code == "path_refused"
            _check_refusal(error)
        else:
            assert not place.startswith("/")
            assert not {"", "..", "."} & set(place.split("/")), place
            os.fsencode(place)


def _check_refusal(error: NstdError) -> None:
    """Every line of a message can be printed, and it is not endless."""
    assert error.code in CODES
    assert len(error.message) < _LONGEST_MESSAGE
    text = error.message + error.hint
    assert text.isprintable() or all(line.isprintable() for line in text.split("\n")), text
    text.encode()
    for problem in error.problems if isinstance(error, FileError) else ():
        assert problem.message.isprintable(), problem
        assert problem.line >= 0 and problem.column >= 0


def config(data: bytes) -> None:
    """A config is read, or refused with its places."""
    path = _folder() / "config.yaml"
    path.write_bytes(data)
    try:
        made = load_config(path)
        for name in FolderSettings.model_fields:
            assert made.folder(name).is_absolute()
        json.dumps(made.model_dump(mode="json"), allow_nan=False).encode()
    except NstdError as error:
        _check_refusal(error)


def image(data: bytes) -> None:
    """A picture is decoded to floats in [0, 1] within its limits, or refused by its name."""
    suffix = _SUFFIXES[len(data) % len(_SUFFIXES)]
    path = _folder() / f"picture{suffix}"
    path.write_bytes(data)
    try:
        picture = load_image(path, max_pixels=MAX_PIXELS, max_bytes=MAX_BYTES)
        width, height = picture.size
        assert 0 < width * height <= MAX_PIXELS
        assert picture.pixels.dtype == np.float32
        assert np.isfinite(picture.pixels).all()
        assert picture.pixels.min() >= 0 and picture.pixels.max() <= 1
        load_mask(path, max_pixels=MAX_PIXELS, max_bytes=MAX_BYTES, size=(5, 4))
    except PictureError as error:
        assert error.code in ("picture_unreadable", "picture_refused"), error.code
        assert path.name in error.message
        _check_refusal(error)
    finally:
        path.unlink()


def film(data: bytes) -> None:
    """A film is decoded to floats in [0, 1] within its limits, or refused by its name."""
    path = _folder() / f"film{_FILM_SUFFIXES[len(data) % len(_FILM_SUFFIXES)]}"
    path.write_bytes(data)
    try:
        kind = film_kind(path)
        with open_film(path, limits=FILM_LIMITS) as opened:
            assert kind == opened.facts.kind
            assert 0 < len(opened.moments) <= FILM_LIMITS.frames
            for frame, moment in zip(opened.frames(), opened.moments, strict=True):
                assert frame.moment == moment and moment.duration > 0
                height, width, _ = frame.pixels.shape
                assert (width, height) == opened.size
                assert frame.pixels.dtype == np.float32
                assert np.isfinite(frame.pixels).all()
                assert frame.pixels.min() >= 0 and frame.pixels.max() <= 1
    except PictureError as error:
        assert error.code in ("picture_unreadable", "picture_refused"), error.code
        assert path.name in error.message
        _check_refusal(error)
    finally:
        path.unlink()


TARGETS: dict[str, Target] = {
    "sidecar": sidecar,
    "config": config,
    "image": image,
    "film": film,
}

_made: dict[int, Path] = {}


def _folder() -> Path:
    """A folder of this process alone, in memory where there is such a place."""
    if os.getpid() not in _made:
        shared = Path("/dev/shm")
        where = shared if os.access(shared, os.W_OK) else None
        _made[os.getpid()] = Path(tempfile.mkdtemp(prefix="nstd-fuzz-", dir=where))
        atexit.register(clean)
    return _made[os.getpid()]


def clean() -> None:
    """Remove the folder of this process."""
    if os.getpid() in _made:
        shutil.rmtree(_made.pop(os.getpid()))
