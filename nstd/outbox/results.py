"""Reads the records of results and the reasons of failures in the outbox.

Other people can write there: whatever is in the place of a record, reading it does not block and
raises no error.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from nstd.outbox.record import Heading, Reason, Record
from nstd.system.layout import ARCHIVE, GALLERY, LOGS, REASON

_MOST_BYTES = 8 << 20
Kind = TypeVar("Kind", bound=Heading)


def list_published(outbox: Path) -> Iterator[tuple[float, Path]]:
    """The time (seconds since the epoch) and the path of the record of each result and failure."""
    return ((made, Path(record)) for made, record in scan_published(outbox))


def scan_published(outbox: Path) -> Iterator[tuple[float, str]]:
    """The same with paths as strings: twice as fast, for outboxes with many results."""
    return _published(os.fspath(outbox), {LOGS, ARCHIVE, GALLERY})


def _published(folder: str, skip: Collection[str] = ()) -> Iterator[tuple[float, str]]:
    """The same below `folder`. Folders of results are not read, because there may be many."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name[0] == "." or entry.name in skip or not entry.is_dir(follow_symlinks=False):
            continue
        for record in (f"{entry.path}/{entry.name}.json", f"{entry.path}/{REASON}"):
            with suppress(OSError):
                yield os.stat(record).st_mtime, record  # noqa: PTH116 - a Path takes its time
                break
        else:
            yield from _published(entry.path)


def read_heading(path: Path) -> Heading | None:
    """The first fields of a record or a reason: faster, for reading many."""
    return _read(path, Heading)


def read_ended(path: Path) -> Record | Reason | None:
    """The record or the reason in a file of `list_published`; None when it is neither."""
    return read_reason(path) if path.name == REASON else read_record(path)


def read_record(path: Path) -> Record | None:
    """The record of a result; None when there is no valid one."""
    return _read(path, Record)


def read_reason(path: Path) -> Reason | None:
    """The reason of a failure; None when there is no valid one."""
    return _read(path, Reason)


def _read(path: Path, kind: type[Kind]) -> Kind | None:
    """The content of a JSON file as a model; None when it is not valid."""
    try:
        value = json.loads(_bytes(path))
        return kind.model_validate(value) if isinstance(value, dict) else None
    except (OSError, ValueError, RecursionError):
        return None


def _bytes(path: Path) -> bytes:
    """The content of a regular file; links are not followed, and a FIFO does not block."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        about = os.fstat(fd)
        is_one = stat.S_ISREG(about.st_mode) and about.st_size <= _MOST_BYTES
        return os.read(fd, about.st_size) if is_one else b""
    finally:
        os.close(fd)
