"""Makes every variant of every pair with the real daemon, one after the other."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from nstd.backends.registry import Backends
from nstd.bench.columns import Column
from nstd.bench.comparison import Cell, Cells
from nstd.bench.pairs import Pair
from nstd.daemon.daemon import Daemon
from nstd.documents.config import Config
from nstd.documents.report_settings import GallerySettings, LogSettings
from nstd.documents.settings import FolderSettings, WatchSettings
from nstd.documents.sidecar import parse_sidecar
from nstd.documents.sidecar_writer import without_places
from nstd.errors import SidecarError
from nstd.executors.devices import resolve
from nstd.intake.plan import make_order, safe_name
from nstd.outbox.record import Record
from nstd.outbox.results import read_reason, read_record
from nstd.system.layout import FAILED, REASON

_WARM_UP = ("output.size=16",)
_APART = 1_000_000  # nanoseconds


class _Job(NamedTuple):
    pair: Pair
    column: Column
    name: str

    def sidecar(self) -> bytes:
        return self.pair.sidecar(self.column.options, self.name)


class BenchBatch:
    """The variants of pairs, with the settings of `config`; all are checked at construction.

    Raises SidecarError and BackendError for a variant that no backend accepts.
    """

    def __init__(self, config: Config, pairs: Sequence[Pair], columns: Sequence[Column]) -> None:
        self._config = config
        self._jobs = list(_jobs(pairs, columns))
        plugins = Backends()
        for job in self._jobs:
            _check(job, config, plugins)

    def run(self, pictures: Path, console: Literal["text", "none"]) -> Cells:
        """Make the pictures `pictures`/LABEL/NAME.*, with their records beside them.

        Uses a temporary root beside `pictures`.
        """
        pictures.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".nstd-", dir=pictures.parent) as folder:
            config = one_slot(self._config, Path(folder), console)
            self._fill(config.folder("inbox"))
            Daemon(config, once=True).run()
            return {
                (job.pair.name, job.column.label): _collect(job, config.folder("outbox"), pictures)
                for job in self._jobs
            }

    def _fill(self, inbox: Path) -> None:
        """Put the pairs into the inbox, and before them a small job that loads what all jobs
        need."""
        inbox.mkdir()
        for job in self._jobs:
            job.pair.copy_to(inbox)
        first = self._jobs[0]
        warm_up = first.pair.sidecar((*first.column.options, *_WARM_UP), "warm-up")
        now = time.time_ns()
        for number, text in enumerate([warm_up, *(job.sidecar() for job in self._jobs)]):
            sidecar = inbox / f"{number}.yaml"
            sidecar.write_bytes(text)
            dropped = now - (len(self._jobs) - number) * _APART
            os.utime(sidecar, ns=(dropped, dropped))  # the oldest runs first


def one_slot(config: Config, root: Path, console: Literal["text", "none"]) -> Config:
    """The settings of `config` for a separate root, with one slot on the first device."""
    said = {name: config.folder(name) for name in ("styles", "networks")}
    folders = FolderSettings(**{name: path for name, path in said.items() if path.is_dir()})
    kept = {name: getattr(config, name) for name in ("jobs", "backends", "limits")}
    return Config.at(
        root,
        folders=folders,
        watch=WatchSettings(settle=0.2),
        devices=resolve(config.devices)[:1],
        log=LogSettings(console=console),
        gallery=GallerySettings(enabled=False),
        workers=config.workers.model_copy(update={"cache": 0}),  # no cache: all have the same work
        **kept,
    )


def _jobs(pairs: Sequence[Pair], columns: Sequence[Column]) -> Iterator[_Job]:
    """The jobs, variant by variant, so that no variant uses a network kept from the one before."""
    for number, column in enumerate(columns, start=1):
        for row, pair in enumerate(pairs, start=1):
            # the numbers keep shortened names unique
            name = safe_name(f"{row}.{number} {pair.name} {column.label}"[:100])
            yield _Job(pair, column, name.rstrip())


def _check(job: _Job, config: Config, plugins: Backends) -> None:
    """Refuse now what the daemon would refuse much later."""
    what = f"{job.pair.name} with {' '.join(job.column.options) or 'its own options'}"
    try:
        make_order(f"{job.name}.yaml", parse_sidecar(job.sidecar(), what), config, plugins)
    except SidecarError as error:
        raise without_places(error, what) from None


def _collect(job: _Job, outbox: Path, pictures: Path) -> Cell:
    """Move the picture and the record of a finished job, or read why it failed."""
    folder, target = outbox / job.name, pictures / safe_name(job.column.label)
    record = read_record(folder / f"{job.name}.json")
    if record is None:
        return Cell(failed=_reason(outbox / FAILED / job.name / REASON))
    target.mkdir(exist_ok=True)
    made = folder / record.output.file
    picture = target / f"{job.pair.name}{made.suffix}"
    shutil.move(made, picture)
    shutil.move(folder / f"{job.name}.json", picture.with_name(f"{job.pair.name}.json"))
    return _cell(picture, record)


def _cell(picture: Path, record: Record) -> Cell:
    return Cell(
        picture=picture,
        seconds={name: took for name, took in record.seconds.items() if name != "queued"},
        peak_memory=record.peak_memory,
        steps=record.steps,
        stopped=record.stopped,
        losses=record.last_losses,
    )


def _reason(path: Path) -> dict[str, str]:
    reason = read_reason(path)
    if reason is None:
        message = "not made: the run ended before"
        return {"code": "cancelled", "message": message, "hint": "run it again"}
    return {"code": reason.code, "message": reason.message, "hint": reason.hint}
