"""What the gallery tells of a result or a failure, from its record.

People may write to the outbox: whatever a record holds, an entry is text, numbers and lists of
these. The page shows text as text, and follows no address but the quoted ones made here.
"""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from nstd.errors import printable
from nstd.outbox.gallery.recipe import as_sidecar
from nstd.outbox.gallery.untrusted import mapping, mappings, number, numbers, text
from nstd.queue.job import JOB_ID
from nstd.system.layout import PREVIEW, REASON

Entry = dict[str, Any]
_POINTS = 160
"""Points of a curve; it is drawn some hundred pixels wide."""
_KEPT = (
    "attempt",
    "attempts",
    "device_name",
    "inputs",
    "network",
    "peak_memory",
    "seconds",
    "seed",
    "settings",
    "slot",
    "steps",
    "stopped",
    "submitted",
    "claimed",
    "versions",
)


def make_entry(record: dict[str, Any], path: Path, outbox: Path, stamp: float) -> Entry:
    """What a list shows of the job whose record at `path` was last changed at `stamp`."""
    folder = path.parent
    where = os.fspath(folder.relative_to(outbox))
    inputs, output = mapping(record, "inputs"), mapping(record, "output")
    styles = [text(style, "file") for style in mappings(inputs, "styles")]
    is_failed = path.name == REASON
    entry: Entry = {
        "id": _identity(record, where),
        "at": printable(where),
        "url": _url(where),
        "record": _url(path.name),
        "stamp": stamp,
        "name": text(record, "name") or printable(folder.name),
        "state": "failed" if is_failed else "finished",
        "when": _milliseconds(text(record, "finished"), stamp),
        "content": text(mapping(inputs, "content"), "file"),
        "styles": styles,
        "backend": text(mapping(record, "settings"), "backend"),
        "views": _views(folder),
    }
    if is_failed:
        entry |= {key: text(record, key, 400) for key in ("code", "message", "hint")}
    else:
        entry |= {
            "file": _url(Path(text(output, "file")).name),
            "width": number(output, "width"),
            "height": number(output, "height"),
            "seconds": number(mapping(record, "seconds"), "total"),
            "device": text(record, "device"),
        }
    return entry | ({"batch": batch} if (batch := _batch(record.get("batch"))) else {})


def make_detail(record: dict[str, Any], entry: Entry) -> dict[str, Any]:
    """What is shown beside the entry when somebody opens it."""
    kept = {key: record[key] for key in _KEPT if key in record}
    words = {key: text(record, key, 8000) for key in ("message", "hint", "detail")}
    return (
        {"id": entry["id"], "sidecar": as_sidecar(record), "source": _source(record, entry)}
        | {"losses": _losses(record)}
        | kept
        | {key: word for key, word in words.items() if word}
    )


def _source(record: dict[str, Any], entry: Entry) -> str:
    """The sidecar's file beside the record: of a failure it has the name that it came with."""
    if entry["state"] == "failed":
        return _url(Path(text(record, "sidecar")).name)
    return f"{entry['record'].removesuffix('.json')}.yaml"


def record_of(entry: Entry) -> str:
    """The name of an entry's record, below the outbox."""
    return os.fsdecode(unquote_to_bytes(f"{entry.get('url')}/{entry.get('record')}"))


def _identity(record: dict[str, Any], where: str) -> str:
    """The job's id; that of a record without one comes from its place."""
    job = text(record, "job")
    if JOB_ID.fullmatch(job):
        return job
    return "at-" + hashlib.sha256(os.fsencode(where)).hexdigest()[:12]


def _url(path: str) -> str:
    """A path as a page names it, whatever bytes it has."""
    return quote(os.fsencode(path))


def _views(folder: Path) -> list[str]:
    """Which small pictures there are."""
    try:
        names = sorted(path.name for path in (folder / PREVIEW).iterdir())
    except OSError:
        return []
    views = (name.removesuffix(".webp") for name in names if name.endswith(".webp"))
    return [view for view in views if view.replace("-", "").isalnum() and view.isascii()]


def _milliseconds(stamp: str, otherwise: float) -> int:
    try:
        return round(datetime.fromisoformat(stamp).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return round(otherwise * 1000)


def _batch(said: object) -> dict[str, Any]:
    """Which member of which batch the job is."""
    batch = said if isinstance(said, dict) else {}
    if not text(batch, "id"):
        return {}
    axes = mapping(batch, "axes")
    return {
        "id": text(batch, "id"),
        "name": text(batch, "name") or text(batch, "id"),
        "index": number(batch, "index"),
        "of": number(batch, "of"),
        "axes": {str(axis)[:200]: _plain(value) for axis, value in axes.items()},
    }


def _plain(value: object) -> str | int | float | bool | None:
    """A value of an axis, as it is shown."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return printable(str(value))[:200]


def _losses(record: dict[str, Any]) -> dict[str, list[float | None]]:
    """The curves by name, with the steps and levels of their points; thinned out evenly."""
    points = mappings(record, "losses")
    stride = max(1, -(-len(points) // _POINTS))
    points = points[::stride] + (points[-1:] if (len(points) - 1) % stride else [])
    names = dict.fromkeys(name for point in points for name in point)
    return {text({"name": name}, "name"): numbers(points, name) for name in names}
