"""`now.js`: running and waiting jobs with previews; open pages read it every few seconds."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from nstd.errors import printable
from nstd.outbox.gallery.script import script
from nstd.queue.job import Job
from nstd.queue.paths import JobPaths
from nstd.queue.progress import read_progress
from nstd.queue.scheduler import Scheduler
from nstd.system.durable import Files

_SHOWN = 24
"""The most running jobs that are shown with a preview; the others are only counted."""
_LISTED = 200
_MOST_BYTES = 4 << 20
_PROGRESS = (
    *("fraction", "step", "steps", "level", "levels", "elapsed", "eta"),
    *("frame", "frames"),
)


class Now:
    """Writes `now.js` again and again while jobs run, else when something has changed."""

    def __init__(self, folder: Path, work: Path, files: Files) -> None:
        self._path, self._previews, self._files = folder / "now.js", folder / "now", files
        self._work = work
        self._shown: dict[str, tuple[str, int]] = {}  # file and time of each preview, by job
        self._last: object = None

    def open(self, below: Path) -> None:
        """Make the folder, and remove files of an earlier run. Raises OSError."""
        self._files.make_folder(self._previews, below=below)
        self._shown, self._last = {}, None
        for path in self._previews.iterdir():
            self._files.unlink(path)

    def write_stopped(self, facts: dict[str, Any]) -> None:
        """Write that no job runs, because there is no daemon. Raises OSError."""
        counts = {"running": 0, "waiting": 0}
        self._write(facts | {"running": [], "waiting": [], "counts": counts})

    def write(self, scheduler: Scheduler, facts: dict[str, Any]) -> None:
        """Write the jobs and the other values in `facts`. Raises OSError."""
        entries = list(scheduler.running.values())
        running = [self._running(each.job, each.slot.device) for each in entries[:_SHOWN]]
        waiting = [entry.job for entry in scheduler.waiting.values()]
        waiting.sort(key=lambda job: (job.held, -job.priority, job.submitted))
        facts |= {
            "running": running,
            "waiting": [_describe(job) for job in waiting[:_LISTED]],
            "counts": {"running": len(entries), "waiting": len(waiting)},
        }
        if running or facts != self._last:
            self._write(facts)
        self._forget({job["id"] for job in running})

    def _write(self, facts: dict[str, Any]) -> None:
        data = script("nstd.now", facts | {"written": round(time.time() * 1000)})
        self._files.write(self._path, data, durable=False)
        self._last = facts

    def _running(self, job: Job, device: str) -> dict[str, Any]:
        paths = JobPaths(self._work / job.id)
        note = read_progress(paths.progress)
        progress = {key: getattr(note, key, None) for key in _PROGRESS}
        return _describe(job) | {"device": device, "preview": self._preview(job, paths)} | progress

    def _preview(self, job: Job, paths: JobPaths) -> str:
        """The address of a copy of the preview, or of the content picture while there is no
        preview."""
        for source in (paths.preview, paths.view("content")):
            with suppress(FileNotFoundError):
                changed, name = source.stat().st_mtime_ns, f"{job.id}{source.suffix}"
                if self._shown.get(job.id) != (name, changed):
                    with source.open("rb") as file:
                        data = file.read(_MOST_BYTES)
                    self._files.write(self._previews / name, data, durable=False)
                    self._shown[job.id] = (name, changed)
                return f"{name}?v={changed}"
        return ""

    def _forget(self, running: set[str]) -> None:
        for job in self._shown.keys() - running:
            for suffix in (".jpg", ".webp"):
                self._files.unlink(self._previews / f"{job}{suffix}")
            del self._shown[job]


def _describe(job: Job) -> dict[str, Any]:
    described: dict[str, Any] = {
        "id": job.id,
        "name": printable(job.name),
        "content": printable(job.given("content")[0].source) if job.inputs else "",
        "styles": [printable(style.source) for style in job.given("style")],
    }
    if job.held:
        described["held"] = True
    if job.batch is not None:
        described["batch"] = job.batch.model_dump(mode="json")
    return described
