"""Small films in a storm: made for a job, and what must come out of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

Color = tuple[int, int, int]
HAS_EXTRA = all(find_spec(module) is not None for module in ("av", "cv2"))
FRAMES = 5
SIZE = 16, 12
LOSSY = 3
"""Levels by which H.264 may change a colour."""
_STRIDE = 45
"""Levels of blue between one frame and the next."""


def colors_of_frames(color: Color) -> list[Color]:
    """The colours of the frames of a film, each of which has one."""
    red, green, blue = color
    return [(red, green, (blue + _STRIDE * number) % 256) for number in range(FRAMES)]


def make_film(path: Path, color: Color) -> None:
    """A film of the kind that the suffix says; without one, a folder of frames."""
    frames = [Image.new("RGB", SIZE, each) for each in colors_of_frames(color)]
    if path.suffix == ".gif":
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=80, loop=0)
    elif path.suffix == ".mp4":
        _make_mp4(path, frames)
    else:
        path.mkdir()
        for number, frame in enumerate(frames, start=1):
            frame.save(path / f"{number:04}.png")


def _make_mp4(path: Path, frames: list[Image.Image]) -> None:
    import av

    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=12, options={"crf": "1", "threads": "1"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv444p"
        for frame in frames:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame), "rgb24")))
        film.mux(stream.encode())


@contextmanager
def elsewhere(folder: Path, name: str, color: Color) -> Iterator[Path]:
    """A film that lies in a folder of a person's own, to be submitted."""
    path = folder / name
    make_film(path, color)
    try:
        yield path
    finally:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def shown_colors(path: Path) -> list[Color]:
    """The first pixel of each frame of a picture, an animated one, or a folder of frames."""
    if path.is_dir():
        return [shown_colors(frame)[0] for frame in sorted(path.glob("*.png"))]
    with Image.open(path) as picture:
        found = []
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            red, green, blue = np.asarray(picture.convert("RGB"))[0, 0].tolist()
            found.append((red, green, blue))
        return found


def is_alike(found: Sequence[Color], wanted: Sequence[Color], tolerance: int) -> bool:
    """Whether these are the same colours, to so many levels."""
    if len(found) != len(wanted):
        return False
    pairs = zip(found, wanted, strict=True)
    return all(abs(a - b) <= tolerance for one, two in pairs for a, b in zip(one, two, strict=True))
