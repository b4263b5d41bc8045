"""What the outbox holds, read from the disk: records of results and reasons of failures."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from nstd.system.layout import ARCHIVE, GALLERY, LOGS, REASON


def list_published(outbox: Path) -> Iterator[tuple[float, Path]]:
    """When each result and each failure was made, and its record."""
    return _published(os.fspath(outbox), {LOGS, ARCHIVE, GALLERY})


def _published(folder: str, skip: Collection[str] = ()) -> Iterator[tuple[float, Path]]:
    """The same below `folder`; the folder of a result itself is not read, as there are many."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name[0] == "." or entry.name in skip or not entry.is_dir(follow_symlinks=False):
            continue
        for record in (Path(entry.path, f"{entry.name}.json"), Path(entry.path, REASON)):
            with suppress(OSError):
                yield record.stat().st_mtime, record
                break
        else:
            yield from _published(entry.path)


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; an empty one where there is none."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def batch_of(record: dict[str, Any]) -> dict[str, Any]:
    """Which member of which batch the job of a record is; nothing where it is none."""
    batch = record.get("batch")
    is_one = isinstance(batch, dict) and all(isinstance(batch.get(k), str) for k in ("id", "name"))
    return dict(batch) if is_one and batch is not None else {}
