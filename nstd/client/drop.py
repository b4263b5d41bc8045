"""Puts files into the inbox, each by one rename, so that no half of one is ever seen there."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nstd.client.editor import SIDECAR_LINE
from nstd.documents.sidecar_writer import dump
from nstd.errors import StoreError, printable
from nstd.system.durable import Files
from nstd.system.nofollow import Folder
from nstd.system.numbered import numbered


def drop_picture(picture: Path, inbox: Path, files: Files, *, share: bool) -> Path:
    """Copy a picture into the inbox, and return its path there.

    With `share`, a picture with the same name and the same bytes that is there already is used
    instead. Not shared if the pictures of finished jobs are archived or deleted: the other one may
    be removed at any moment.
    """
    if share and (same := _same(picture, inbox)) is not None:
        return same
    with draft_file(inbox, picture.suffix) as draft:
        files.copy_file(picture, draft)
        return files.move_to_free_name(draft, inbox / picture.name)


def drop_known(source: Folder, name: str, target: Path, sha256: str, files: Files) -> Path:
    """Copy the picture `name` in `source` to the path `target` in the inbox, or to a free number.

    Raises OSError, SidecarError where it is no regular file any more, and StoreError if its bytes
    are not those of `sha256` any more.
    """
    with draft_file(target.parent, target.suffix) as draft:
        with source.open(name) as file:
            copied = files.copy(file, draft)
        if copied != sha256:
            raise StoreError("io_error", f"{printable(source.path / name)} has just changed")
        return files.move_to_free_name(draft, target)


def drop_sidecar(
    values: dict[str, Any], stem: str, folder: Path, files: Files, *, below: Path | None = None
) -> tuple[Path, int]:
    """Write a sidecar of that stem, or with a number, into a folder of the inbox.

    Returns its path and the time of its last change, in nanoseconds. Raises OSError.
    """
    files.make_folder(folder, below=below)
    with draft_file(folder, ".yaml") as draft:
        head = SIDECAR_LINE if below in {None, folder} else ""  # the schema lies at the top
        files.write(draft, head.encode() + dump(values))
        changed = draft.stat().st_mtime_ns
        return files.move_to_free_name(draft, folder / f"{stem}.yaml", below=below), changed


def digest_of(path: Path) -> str:
    """The SHA-256 of the content of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _same(picture: Path, inbox: Path) -> Path | None:
    """The picture in the inbox that has the same bytes and the same name, or `-2` ... of it."""
    digest = digest_of(picture)
    for target in map(inbox.joinpath, numbered(picture.stem, picture.suffix)):
        if not os.path.lexists(target):
            break
        if target.is_file() and digest_of(target) == digest:
            return target
    return None


@contextmanager
def draft_file(folder: Path, suffix: str) -> Iterator[Path]:
    """A hidden, unused name; a file with it is removed at the end."""
    draft = folder / f".{secrets.token_hex(8)}{suffix}.tmp"
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)
