"""What sidecars, jobs and records say of films."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from nstd.documents.model import Count, Model, Number, StoredModel

STILL = "still"
"""The kind of a content that is a picture, of which a film is made."""
STILL_RATE = 12
"""Frames in a second of such a film, if the sidecar says nothing."""
_RANGE = re.compile(r"(?P<first>\d{1,9})?\.\.(?P<last>\d{1,9})?")
_FRAME = re.compile(r"(?P<film>.*\.\w{1,8})#(?P<frame>\d{1,9})", re.DOTALL)
_NO_FRAME = re.compile(
    r"(?P<film>.*\.(?:gif|webp|a?png|avif|mp4|m4v|mov|mkv|webm|avi|3gp))#(?:[^./]*|[^a-z/]*)",
    re.DOTALL | re.IGNORECASE,
)
FILM_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".3gp", ".apng")
"""Suffixes of films alone; GIF, WebP, PNG and AVIF files may be pictures or films."""


def split_frame(source: str) -> tuple[str, int | None]:
    """The file and the frame, from 0, of a name like `starry.gif#0`; of others there is none."""
    match = _FRAME.fullmatch(source)
    return (match["film"], int(match["frame"])) if match else (source, None)


def frame_of(source: str) -> str:
    """`#0` of `starry.gif#0`; empty for other names."""
    return source.removeprefix(split_frame(source)[0])


def check_frame(source: str) -> None:
    """Raise ValueError for a name like `clip.mp4#x`, which is neither a film nor a frame of one."""
    match = _NO_FRAME.fullmatch(source)
    if match and split_frame(source)[1] is None:
        raise ValueError(f"must have the number of a frame behind the #, from 0: {match['film']}#0")


def _frame_range(text: str) -> str:
    first, last = bounds_of(text)
    if first < 1 or (last is not None and last < first):
        raise ValueError("expected two numbers of frames, from 1, the smaller first: 24..240")
    return text


def _no_number(value: object) -> object:
    """A number alone is no range; it must not be put in quotes first, to be refused then."""
    return str(value) if isinstance(value, int) else value


FrameRange = Annotated[str, BeforeValidator(_no_number), AfterValidator(_frame_range)]
"""Some frames of a film, counted from 1, the last one included: `24..240`, `24..`, `..240`."""


def bounds_of(text: str) -> tuple[int, int | None]:
    """The first and the last frame of a range; None: to the end. Raises ValueError."""
    match = _RANGE.fullmatch(text)
    if match is None or not (match["first"] or match["last"]):
        like = f"{text}..{text} for this one alone" if text.isdecimal() else "24..240"
        raise ValueError(f"expected the numbers of two frames, like {like}")
    return int(match["first"] or 1), None if match["last"] is None else int(match["last"])


def _absent() -> Any:
    return Field(default=None, exclude_if=lambda value: value is None)


class FilmSettings(StoredModel):
    """The settings of a job whose content is a film.

    `kind` is the kind of the content, as `nstd.images.film.kinds` says it; `frames`, `every` and
    `fps` choose some of its frames, and are absent if they are not said. A picture, of the kind
    `STILL`, is shown for `seconds`, and has `fps` frames in each.
    """

    kind: str
    seconds: Number | None = _absent()
    frames: FrameRange | None = _absent()
    every: Count | None = _absent()
    fps: Number | None = _absent()


def frames_of_still(seconds: float, fps: float) -> int:
    """How many frames a film has that is made of a picture."""
    return round(seconds * fps)


class FilmBounds(Model):
    """The most that a film may have: frames that are painted, seconds, pixels in a frame, bytes."""

    frames: int
    seconds: float
    pixels: int
    bytes: int
