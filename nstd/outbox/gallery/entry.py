"""What the gallery shows of a result or a failure, made from its record.

Other people may write to the outbox. Values of a wrong type were dropped when the record was read,
the page shows texts only as text, and it loads only the quoted addresses that are made here.
"""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from nstd.documents.model import Membership
from nstd.errors import printable, shortened
from nstd.outbox.gallery.recipe import as_sidecar
from nstd.outbox.gallery.untrusted import shown
from nstd.outbox.record import Reason, Record
from nstd.queue.job import JOB_ID
from nstd.system.layout import PREVIEW

Entry = dict[str, Any]
_POINTS = 160
"""The most points of a curve, which is drawn some hundred pixels wide."""
_MOVING = ("content.mp4", "result.mp4")
_KEPT = {
    "attempt",
    "attempts",
    "device_name",
    "inputs",
    "network",
    "notes",
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
}


def make_entry(record: Record | Reason, path: Path, outbox: Path, stamp: float) -> Entry:
    """The entry of the job whose record at `path` was last changed at `stamp`."""
    folder = path.parent
    where = os.fspath(folder.relative_to(outbox))
    content = record.inputs.content
    entry: Entry = {
        "id": _identity(record, where),
        "at": printable(where),
        "url": _url(where),
        "record": _url(path.name),
        "stamp": stamp,
        "name": shown(record.name) or printable(folder.name),
        "state": record.state,
        "when": _milliseconds(record.finished, stamp),
        "content": shown(content.file) if content else "",
        "styles": [shown(style.file) for style in record.inputs.styles],
        "backend": shown(record.settings.backend),
        "views": _views(folder),
    }
    if isinstance(record, Reason):
        words = {"code": record.code, "message": record.message, "hint": record.hint}
        entry |= {key: shown(word, 400) for key, word in words.items()}
    else:
        entry |= {
            "file": _url(Path(shown(record.output.file)).name),
            "width": record.output.width,
            "height": record.output.height,
            "seconds": record.seconds.get("total"),
            "device": shown(record.device),
        }
    if isinstance(record, Record) and record.output.frames:
        entry["film"] = _film(record, folder)
    return entry | ({"batch": _batch(record.batch)} if record.batch else {})


def _film(record: Record, folder: Path) -> Entry:
    """What the page says of a film; `moving`: whether there are small films to be compared."""
    output, views = (
        record.output,
        [folder / PREVIEW / name for name in _MOVING],
    )
    facts = {"frames": output.frames, "seconds": output.seconds, "rate": output.rate}
    return facts | {"sound": bool(output.sound), "moving": all(view.exists() for view in views)}


def make_detail(record: Record | Reason, entry: Entry, folder: Path) -> dict[str, Any]:
    """What is shown beside the entry, whose files lie in `folder`, when somebody opens it."""
    kept = record.model_dump(mode="json", include=_KEPT, exclude_unset=True)
    detail = {"id": entry["id"], "sidecar": as_sidecar(record), "source": _source(record, entry)}
    detail["log"] = _log(folder)
    if isinstance(record, Record):
        return detail | {"losses": _losses(record)} | kept
    words = {"message": record.message, "hint": record.hint, "detail": record.detail}
    said = {key: shown(word, 8000) for key, word in words.items() if word}
    return detail | {"losses": {}} | kept | said


def _source(record: Record | Reason, entry: Entry) -> str:
    """The sidecar beside the record; the sidecar of a failure keeps its name from the inbox."""
    if isinstance(record, Reason):
        return _url(Path(shown(record.sidecar or "")).name)
    return f"{entry['record'].removesuffix('.json')}.yaml"


def _log(folder: Path) -> str:
    """The job's own log; earlier versions named that of a failure `job.log`."""
    names = f"{folder.name}.log", "job.log"
    return _url(next((name for name in names if (folder / name).exists()), names[0]))


def record_of(entry: Entry) -> str:
    """The path of an entry's record, relative to the outbox."""
    return os.fsdecode(unquote_to_bytes(f"{entry.get('url')}/{entry.get('record')}"))


def _identity(record: Record | Reason, where: str) -> str:
    """The id of the job; for a record without one, an id made from its path."""
    if JOB_ID.fullmatch(record.job):
        return record.job
    return "at-" + hashlib.sha256(os.fsencode(where)).hexdigest()[:12]


def _url(path: str) -> str:
    """A path as a quoted address for the page, whatever bytes it has."""
    return quote(os.fsencode(path))


def _views(folder: Path) -> list[str]:
    """The names of the small pictures that exist."""
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


def _batch(batch: Membership) -> dict[str, Any]:
    """Which member of which batch the job is."""
    axes = {shortened(axis, 200): _plain(value) for axis, value in batch.axes.items()}
    name = shown(batch.name) or shown(batch.id)
    return {
        "id": shown(batch.id),
        "name": name,
        "index": batch.index,
        "of": batch.of,
        "axes": axes,
    }


def _plain(value: object) -> str | int | float | bool | None:
    """A value of an axis, as the page shows it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return shortened(printable(str(value)), 200)


def _losses(record: Record) -> dict[str, list[float | None]]:
    """The loss curves by name, with the steps and levels of their points; evenly thinned."""
    points = record.losses
    stride = max(1, -(-len(points) // _POINTS))
    points = points[::stride] + (points[-1:] if (len(points) - 1) % stride else ())
    names = dict.fromkeys(name for point in points for name in point)
    return {shown(name): [point.get(name) for point in points] for name in names}
