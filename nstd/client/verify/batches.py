"""Checks the folders of batches: manifest, contact sheet, and the results of the members."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from nstd.client.verify.damage import Damage, Repair
from nstd.client.verify.picture_reader import PictureReader
from nstd.errors import printable
from nstd.outbox.survey import OutboxFolder
from nstd.queue.batch import MANIFEST, Batch, list_batches, read_manifest

_AGAIN = "drop its sidecar into the inbox to make the batch once more"


class BatchChecks:
    """Checks what is published of batches; those that are under way are not yet whole."""

    def __init__(self, outbox: Path, work: Path, pictures: PictureReader) -> None:
        self._outbox, self._work, self._pictures = outbox, work, pictures

    def check(self, place: OutboxFolder) -> Iterator[Damage]:
        """What is wrong with the folder of a batch."""
        batch = read_manifest(self._outbox / place.path)
        if self._is_under_way(place.path, batch):
            return
        if batch is None:
            what = "is missing" if place.kind == "no manifest" else "cannot be read"
            said = f"{MANIFEST} of this batch {what}: its results stand alone"
            yield self._damage(
                "manifest", place, said, f"{_AGAIN}, or remove the sheet: the results are whole"
            )
        elif batch.place != place.path:
            said = f"has the manifest of another batch, {printable(batch.place)}"
            yield self._damage("manifest", place, said, "put back its own, or remove it")
        else:
            yield from self._sidecar(batch, place)
            yield from self._sheet(batch, place)
            yield from self._members(batch, place)

    def _is_under_way(self, path: str, batch: Batch | None) -> bool:
        manifests = (read_manifest(each.folder) for each in list_batches(self._work))
        return any(
            each is not None and (each.place == path or (batch is not None and each.id == batch.id))
            for each in manifests
        )

    def _sidecar(self, batch: Batch, place: OutboxFolder) -> Iterator[Damage]:
        if not os.path.lexists(self._outbox / place.path / batch.sidecar):
            said = f"the sidecar of this batch, {printable(batch.sidecar)}, is missing"
            hint = "the sidecar beside each of its results makes that one once more"
            yield self._damage("sidecar_missing", place, said, hint)

    def _sheet(self, batch: Batch, place: OutboxFolder) -> Iterator[Damage]:
        if not batch.sheet:
            return  # it could not be drawn, which the log has told
        sheet = self._outbox / place.path / batch.sheet
        hint = "`nstd verify --repair` draws it again"
        if sheet.is_symlink():
            said = "its contact sheet is a link, which is not followed"
            yield self._damage("link", place, said, "remove it, and say `nstd verify --repair`")
        elif not sheet.exists():
            said = "its contact sheet is missing"
            yield self._damage("sheet", place, said, hint, "sheet")
        elif error := self._pictures.read(f"{place.path}/{batch.sheet}").error:
            said = f"its contact sheet cannot be decoded: {error}"
            yield self._damage("sheet", place, said, hint, "sheet")

    def _members(self, batch: Batch, place: OutboxFolder) -> Iterator[Damage]:
        """Only results: a failure goes when its job is put back."""
        for member in batch.members:
            end = member.end
            if end is None or end.state == "failed":
                continue
            if not (self._outbox / end.output).is_dir():
                said = f"its result {printable(end.output)} is missing"
                yield self._damage("member_missing", place, said, _AGAIN)

    def _damage(
        self, kind: str, place: OutboxFolder, message: str, hint: str, repair: Repair = ""
    ) -> Damage:
        return Damage(kind, printable(place.path), message, hint, repair, unit=place.path)
