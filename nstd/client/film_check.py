"""Contents of `nstd submit` that are films: found, checked, and copied if they are folders."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from nstd.client.picture_check import check_size, have_checked
from nstd.documents.film import split_frame
from nstd.documents.settings import LimitSettings
from nstd.errors import PictureError, printable
from nstd.images.film.kinds import FilmKind, film_kind
from nstd.system.durable import Files
from nstd.system.numbered import numbered


def films_of(contents: Iterable[Path]) -> dict[Path, FilmKind]:
    """Those of the contents that are films, with their kinds. A folder can be nothing else."""
    kinds = {path: "frames" if path.is_dir() else film_kind(path.resolve()) for path in contents}
    return {path: kind for path, kind in kinds.items() if kind is not None}


def file_of(given: Path) -> Path:
    """The file of a content or style, which may be one frame of a film, like `clip.mp4#0`."""
    return given if given.is_dir() else Path(split_frame(str(given))[0])


def refuse_films(pictures: Iterable[Path]) -> None:
    """Raise PictureError for a film where a picture is needed."""
    for path in films_of(pictures):
        name = printable(path)
        hint = f"a style can be one of its frames: {name}#0"
        raise PictureError("picture_refused", f"{name} is a film, and no picture", hint)


def check_films(films: Iterable[Path], limits: LimitSettings, sides: Mapping[Path, int]) -> None:
    """Raise PictureError for a film that no job could use, in the words of the job.

    One frame of a film, like `clip.mp4#0`, is checked alone. `sides` are the longest sides, in
    pixels, to which they are to be brought. Raises OSError for a file that cannot be read.
    """
    films = list(films)
    for film in map(file_of, films):
        if not film.is_dir():
            check_size(film, limits.film_bytes, "film_bytes")
    numbers = (limits.film_frames, limits.film_seconds, limits.film_pixels, limits.film_bytes)
    asked = [(film, sides.get(film, 0)) for film in films]
    if asked:
        have_checked("nstd.images.film.check", [str(number) for number in numbers], asked)


def drop_folder(folder: Path, target: Path, files: Files) -> Path:
    """Copy the files of a folder of frames to `target` in the inbox, or to a free number of it.

    It appears by one rename; returns its path. Raises OSError.
    """
    draft = target.with_name(f".{secrets.token_hex(8)}.tmp")
    files.make_new_folder(draft, below=target.parent)
    try:
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.name[0] != ".":
                files.copy_file(path, draft / path.name)
        files.sync_folder(draft)
        names = map(target.with_name, numbered(target.name))
        place = next(name for name in names if not name.exists())
        files.rename(draft, place)
        return place
    finally:
        if draft.exists():
            files.remove_tree(draft)
