"""The names that a sidecar may give: of pictures, and of the result."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator

from nstd.documents.film import check_frame

NAME_BYTES = 200  # leaves room for "-2", ".json" and ".tmp" within the 255 of a file name


def check_picture_path(text: str) -> str:
    """`text`, if a sidecar may name a picture so. Raises ValueError."""
    _no_controls(text)
    if "\\" in text:
        raise ValueError("must have / between folders, not \\")
    if "://" in text:
        raise ValueError("must be a file, not an address; put the picture beside the sidecar")
    path = PurePosixPath(text)
    if path.parts[:1] == ("~",):
        raise ValueError("must be relative to the sidecar: ~ is not your home folder here")
    if path.is_absolute():
        raise ValueError("must be relative to the sidecar, not an absolute path")
    if path.name in ("", ".."):
        raise ValueError("must be the name of a picture")
    if path.name.startswith("."):
        raise ValueError("must not be a hidden file")
    if any(len(part.encode()) > 255 for part in path.parts):
        raise ValueError("must have no name of more than 255 bytes")
    check_frame(text)
    return text


def _no_folder(text: str) -> str:
    if text.endswith("/"):
        raise ValueError("must be a picture; only a content can be a folder, of frames of a film")
    return text


def check_output_name(text: str) -> str:
    """`text`, if a result may have this name. Raises ValueError."""
    _no_controls(text)
    if not text or text.startswith(".") or "/" in text or "\\" in text:
        raise ValueError("must be a plain file name without slashes or a leading dot")
    if not text.isprintable():  # such as characters that reverse the direction of text
        raise ValueError("must not hold characters that cannot be seen")
    if len(text.encode()) > NAME_BYTES:
        raise ValueError(f"must be at most {NAME_BYTES} bytes long")
    return text


def _no_controls(text: str) -> None:
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise ValueError("must not hold control characters")


ContentPath = Annotated[str, AfterValidator(check_picture_path)]
"""A picture, a film, or with a slash at the end a folder of frames."""
PicturePath = Annotated[ContentPath, AfterValidator(_no_folder)]
OutputName = Annotated[str, AfterValidator(check_output_name)]
"""The name of a result in the outbox, or of a batch and its folder."""
