"""Reads a finished film, for `nstd verify`."""

from __future__ import annotations

from pathlib import Path

from nstd.errors import PictureError, SidecarError, clean, printable
from nstd.images.film.model import FilmLimits
from nstd.images.film.reader import open_film
from nstd.system.folder_digest import sha256_of, sha256_of_folder
from nstd.system.nofollow import Folder

_SIDE = 16384
_ANY = 2**62


def verify_film(
    folder: Folder, name: str, width: int | None, height: int | None, frames: int
) -> dict[str, str]:
    """The SHA-256 of a film, and why it cannot be decoded to so many frames. Follows no link."""
    path = folder.path / name
    try:
        sha256 = sha256_of_folder(folder, name) if path.is_dir() else sha256_of(folder, name)
    except (OSError, SidecarError) as error:
        return {"sha256": "", "error": printable(clean(error))}
    return {"sha256": sha256, "error": _decode(path, width, height, frames)}


def _decode(path: Path, width: int | None, height: int | None, frames: int) -> str:
    """Why the film cannot be decoded; of a single frame it is not looked at: it is a picture."""
    if frames == 1:
        return ""
    limits = FilmLimits(frames=frames, seconds=float(_ANY), pixels=_SIDE**2, bytes=_ANY)
    try:
        with open_film(path, limits=limits) as film:
            if width and height and film.size != (width, height):
                return f"it has {film.size[0]} x {film.size[1]} pixels"
            if len(film.moments) != frames:
                return f"it has {len(film.moments)} frames"
    except PictureError as error:
        return printable(error.message)
    return ""
