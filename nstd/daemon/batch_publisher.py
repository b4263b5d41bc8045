"""The end of a batch: its contact sheet is drawn, it is published, and its folder is removed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from nstd.documents.config import Config
from nstd.errors import printable
from nstd.logs.log import emit
from nstd.logs.reader import has_finished
from nstd.outbox.outbox import Outbox
from nstd.outbox.sheet_process import Sheet, make_command
from nstd.queue.batch import Batch, BatchPaths, End
from nstd.queue.store import JobStore
from nstd.system.durable import Files


@dataclass
class LiveBatch:
    """A batch under way.

    `is_released` says that no member is staged any more; `lost` has the ends of members without
    an end and without a folder, by their numbers. After an error it is tried again at `due`. It
    `is_awaited` while only members are left whose sidecars may be in the inbox, put back by a
    person.
    """

    batch: Batch
    paths: BatchPaths
    is_released: bool = False
    may_be_over: bool = True
    is_awaited: bool = False
    sheet: Sheet | None = None
    due: float = 0.0
    tries: int = 0
    lost: dict[int, End] = field(default_factory=dict)

    def drop_sheet(self) -> None:
        """Another picture will come: forget the sheet that was drawn, or is being drawn."""
        if self.sheet is not None:
            self.sheet.discard()
            self.sheet = None

    def next_check(self, now: float) -> float:
        """When to check the batch again, which may be the process that draws its sheet."""
        return max(self.due, now if self.sheet is None else self.sheet.next_check(now))


class BatchPublisher:
    """Publishes batches whose members have all ended."""

    def __init__(self, store: JobStore, outbox: Outbox, logs: Path, files: Files) -> None:
        self._store, self._outbox, self._logs, self._files = store, outbox, logs, files

    def configure(self, config: Config) -> None:
        """Take over new settings."""
        self._limits = config.limits

    def finish(self, live: LiveBatch, now: float) -> bool:
        """Draw the sheet, publish, log the end and remove the folder; whether all is done.

        To be called again until it is; does not wait for the process that draws the sheet. Raises
        OSError.
        """
        if live.sheet is None:
            command = make_command(self._outbox.path, self._limits)
            live.sheet = Sheet(live.paths, self._files, command)
        if not live.sheet.is_done(now):
            return False
        batch = _ended(live)
        has_published = self._outbox.has_batch(batch)
        self._outbox.publish_batch(batch, live.paths)
        if not has_published or not has_finished(self._logs, batch.id, batch.round):
            _log_end(batch, live.sheet.reason)
        self._store.remove_batch(live.paths)
        return True


def _ended(live: LiveBatch) -> Batch:
    """The batch with the ends of all its members, as it is published."""
    members = [
        member.model_copy(update={"end": member.end or live.lost[number]})
        for number, member in enumerate(live.batch.members)
    ]
    sheet = live.paths.sheet.name if live.paths.sheet.exists() else ""
    update = {"members": tuple(members), "finished": time.time(), "sheet": sheet}
    return live.batch.model_copy(update=update)


def _log_end(batch: Batch, no_sheet: str) -> None:
    """Log the end of a batch; `no_sheet` says why there is no contact sheet, or is empty."""
    if no_sheet:
        emit("batch.sheet_failed", code="sheet_failed", reason=printable(no_sheet))
    emit(
        "batch.finished",
        name=batch.name,
        output=batch.place,
        round=batch.round,
        finished=batch.count("finished"),
        failed=batch.count("failed"),
        sheet=bool(batch.sheet),
        seconds=round(max(0.0, time.time() - batch.claimed), 1),
    )
