"""Outboxes made by hand, as large and as odd as a test needs, and what a gallery says of them."""

from __future__ import annotations

import io
import json
import os
import time
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from nstd.documents.config import Config
from nstd.errors import printable
from nstd.outbox.gallery.script import arguments
from nstd.outbox.record import timestamp
from support.playground import merged

BEGAN = 1_790_000_000.0
"""When the first result by hand was made; each is a minute younger than the one before."""


@cache
def picture(color: str, size: tuple[int, int] = (48, 32)) -> bytes:
    """A WebP of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "WEBP")
    return buffer.getvalue()


def job_id(number: int) -> str:
    """A job id of its own for each number."""
    return f"20260921-120000-{number:06x}"


def put_result(outbox: Path, number: int, place: str = "", **said: Any) -> Path:
    """A result as the daemon publishes one, with `said` laid over its record; its folder."""
    folder = outbox / (place or f"beach-{number}")
    (folder / "preview").mkdir(parents=True)
    for view, color in (("result", "teal"), ("thumb", "teal"), ("content", "tan")):
        (folder / "preview" / f"{view}.webp").write_bytes(picture(color))
    for view in ("style-1", "strip"):
        (folder / "preview" / f"{view}.webp").write_bytes(picture("purple"))
    when = BEGAN + 60 * number
    record = {
        "job": job_id(number),
        "name": printable(folder.name),
        "state": "finished",
        "output": {"file": f"{printable(folder.name)}.png", "width": 48, "height": 32},
        "inputs": {
            "content": {"file": "beach.jpg"},
            "styles": [{"file": f"style-{number % 7}.jpg", "weight": 1.0, "scale": 1.0}],
        },
        "settings": {
            "backend": "gatys",
            "options": {"preset": "draft", "seed": 0, "tile": None},
            "size": 48,
            "format": "png",
        },
        "finished": timestamp(when),
        "network": {"name": "fixed"},
        "seed": 7,
        "device": "cpu",
        "losses": [
            {"step": step, "level": 1 + (step > 20), "seconds": step / 10, "total": 1 / step}
            for step in range(1, 41)
        ],
        "steps": 40,
        "seconds": {"queued": 3.0, "total": 61.0, "optimise": 60.0},
    }
    _write(folder / f"{folder.name}.json", merged(record, said), when)
    return folder


def put_failure(outbox: Path, number: int, place: str = "", **said: Any) -> Path:
    """A failure as the daemon publishes one."""
    folder = outbox / "failed" / (place or f"pier-{number}")
    folder.mkdir(parents=True)
    when = BEGAN + 60 * number
    reason = {
        "job": job_id(number),
        "code": "picture_missing",
        "message": "pier.yaml: 'pier.jpg' did not come in time",
        "hint": "put the picture into the inbox, then run `nstd retry` for this job",
        "name": folder.name,
        "state": "failed",
        "finished": timestamp(when),
        "settings": {"backend": "gatys"},
    }
    _write(folder / "reason.json", reason | said, when)
    return folder


def _write(path: Path, value: dict[str, Any], when: float) -> None:
    path.write_text(json.dumps(value))
    os.utime(path, (when, when))


def listed(outbox: Path) -> list[dict[str, Any]]:
    """Every entry of the gallery, in the order of its pages.

    The daemon writes pages first and the list last, and the page in the browser takes what came
    between with the next list. So this reads again until the list and its pages belong together;
    those of a daemon that is not at work do at once, or never.
    """
    deadline = time.monotonic() + 10
    while True:
        with suppress(FileNotFoundError, AssertionError):
            return _listed(outbox / "gallery")
        if time.monotonic() > deadline:
            return _listed(outbox / "gallery")
        time.sleep(0.02)


def _listed(folder: Path) -> list[dict[str, Any]]:
    (told,) = arguments(folder / "list.js", "nstd.list")
    entries: list[dict[str, Any]] = []
    for page in told["pages"]:
        path = folder / "pages" / f"{page['n']}.js"
        assert page["rev"] == f"{zlib.crc32(path.read_bytes()):08x}"
        number, found = arguments(path, "nstd.page")
        assert (number, len(found)) == (page["n"], page["count"])
        entries += found
    assert told["total"] == len(entries)
    return entries


def names(outbox: Path) -> list[str]:
    """The names of the entries, sorted."""
    return sorted(entry["name"] for entry in listed(outbox))


def detail(outbox: Path, identity: str) -> dict[str, Any]:
    """What the gallery tells of one job."""
    (told,) = arguments(outbox / "gallery" / "jobs" / f"{identity}.js", "nstd.job")
    found: dict[str, Any] = told
    return found


def now(outbox: Path) -> dict[str, Any]:
    """What runs and what waits."""
    (told,) = arguments(outbox / "gallery" / "now.js", "nstd.now")
    found: dict[str, Any] = told
    return found


def config_of(root: Path) -> Config:
    """The defaults, for a root of a test."""
    return Config.at(root)
