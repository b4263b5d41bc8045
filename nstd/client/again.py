"""Makes a job that has ended once more: its record becomes a sidecar in the inbox.

The pictures are found by their SHA-256, wherever they lie by now. Those that a sidecar cannot name
are copied to the top of the inbox, where no recipe takes them for pictures of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nstd.backends.registry import Backends
from nstd.client.drop import drop_known, drop_sidecar
from nstd.client.editor import keep_sidecar_schema
from nstd.client.picture_search import FoundPicture, PictureSearch, has_bytes_of
from nstd.client.submit import Submitted, check_weights
from nstd.documents.config import Config
from nstd.documents.film import STILL, frame_of, split_frame
from nstd.documents.grid import GridFile, parse_grid
from nstd.documents.sidecar_writer import dump, set_option, without_places
from nstd.errors import PictureError, SidecarError, StoreError, printable
from nstd.intake.films import with_films
from nstd.intake.locator import Locator
from nstd.intake.names import is_ignored, is_sidecar
from nstd.intake.plan import make_plan, safe_name
from nstd.outbox.record import Reason, Record, RecordedInput
from nstd.outbox.remaking import sidecar_values
from nstd.outbox.results import read_ended
from nstd.system.durable import Files
from nstd.system.layout import ARCHIVE, REASON, without_failed
from nstd.system.nofollow import Folder, join
from nstd.system.units import format_size


def make_again(
    config: Config, folder: Path, options: Sequence[str] = (), name: str | None = None
) -> Submitted:
    """Submit the job whose result or failure lies in `folder` of the outbox once more.

    `options` are changes, as `key=value` texts; `name` is that of the new result. Raises
    StoreError for a folder without a record, PictureError `picture_missing` for pictures that are
    nowhere, and SidecarError for changes that are not valid; then nothing is in the inbox.
    """
    record = _read(folder)
    again = _Again(config, record, _place_of(record, folder, config.folder("outbox")))
    found = again.find(folder / "inputs")
    values = again.values(found, options, name)
    keep_sidecar_schema(config)
    stem = safe_name(str(values["output"]["name"]))
    named = again.copy(found, stem)
    values = again.values(named, options, name)
    inbox = config.folder("inbox")
    sidecar, changed = drop_sidecar(values, stem, inbox / again.place, Files(), below=inbox)
    return Submitted(sidecar, str(values["output"]["name"]), changed)


def _read(folder: Path) -> Record | Reason:
    """The record in a folder of the outbox. Raises StoreError."""
    for path in (folder / f"{folder.name}.json", folder / REASON):
        record = read_ended(path)
        if record is not None and record.inputs.content is not None and record.inputs.styles:
            return record
    raise StoreError(
        "not_found",
        f"{printable(folder)} has no record that names its pictures",
        "correct its sidecar there and run `nstd retry`, or submit the pictures again",
    )


def _place_of(record: Record | Reason, folder: Path, outbox: Path) -> str:
    """The folder of the inbox that the job came from; "" for the top.

    Records of earlier versions do not name it; the outbox mirrors it.
    """
    if record.sidecar:
        place = PurePosixPath(record.sidecar).parent
    else:
        place = without_failed(PurePosixPath(folder.relative_to(outbox)).parent)
        place = place.parent if record.batch else place
    return join("", str(place)) if place.parts else ""


@dataclass(frozen=True)
class _Named:
    """A recorded picture: where it was found, and how the new sidecar names it ("": it cannot)."""

    given: RecordedInput
    found: FoundPicture
    reference: str


class _Again:
    """One record that becomes a sidecar in `place`, a folder of the inbox."""

    def __init__(self, config: Config, record: Record | Reason, place: str) -> None:
        self._config, self._record, self.place = config, record, place
        self._inbox, self._styles = Folder(config.folder("inbox")), Folder(config.folder("styles"))
        self._locator = Locator(self._inbox, self._styles)
        self._sidecar = str(PurePosixPath(place, "again.yaml"))
        self._is_shared = config.jobs.pictures == "keep"

    def find(self, copies: Path) -> list[_Named]:
        """Where each picture of the record lies now; `copies` are those of a failed job."""
        given = {(each.file, each.sha256): each for each in self._record.inputs.pictures()}
        named = {key: self._as_recorded(each) for key, each in given.items()}
        missing = [each for key, each in given.items() if named[key] is None]
        archive = self._config.folder("outbox") / ARCHIVE
        search = PictureSearch([self._inbox.path, self._styles.path, archive, copies])
        found = search.find(missing) if missing else {}
        self._refuse_missing([each for each in missing if each.sha256 not in found], search)
        elsewhere = {
            key: _Named(each, found[each.sha256], self._reference(found[each.sha256], each))
            for key, each in given.items()
            if named[key] is None
        }
        return [each or elsewhere[key] for key, each in named.items()]

    def _as_recorded(self, given: RecordedInput) -> _Named | None:
        """The picture, where the same sidecar would find the same bytes again."""
        found = self._locate(given.file)
        if found is None or not has_bytes_of(found.root, found.name, given):
            return None
        return _Named(given, found, given.file if self._may_lean_on(found) else "")

    def _reference(self, found: FoundPicture, given: RecordedInput) -> str:
        """How the sidecar can name a picture that was found elsewhere; "" if it cannot."""
        if not self._may_lean_on(found):
            return ""
        in_inbox = found.root == self._inbox
        reference = os.path.relpath(found.name, self.place or ".") if in_inbox else found.name
        return reference + frame_of(given.file) if self._locate(reference) == found else ""

    def _may_lean_on(self, found: FoundPicture) -> bool:
        """Whether the picture will stay there; with archive or delete, another job may clear it."""
        return found.root == self._styles or (found.root == self._inbox and self._is_shared)

    def _locate(self, source: str) -> FoundPicture | None:
        try:
            found = self._locator.find(self._sidecar, source)
        except (OSError, SidecarError):
            return None
        return None if found is None else FoundPicture(found.root, found.name)

    def _refuse_missing(self, missing: Sequence[RecordedInput], search: PictureSearch) -> None:
        if not missing:
            return
        names = "\n".join(
            f"  {printable(each.file)!r}: {format_size(each.bytes)}, SHA-256 {each.sha256[:16]}…"
            for each in missing
        )
        places = ", ".join(printable(each.path) for each in search.folders if each.path.is_dir())
        raise PictureError(
            "picture_missing",
            f"no file has the bytes of these pictures:\n{names}\nlooked for in {places}",
            "put a copy into the inbox, under any name, and say the same again",
        )

    def values(
        self, named: Iterable[_Named], options: Sequence[str], name: str | None
    ) -> dict[str, Any]:
        """The values of the sidecar, with the changes. Raises SidecarError if they are wrong."""
        called = {(each.given.file, each.given.sha256): each.reference for each in named}
        record = self._record

        def naming(given: RecordedInput) -> str:
            return called[given.file, given.sha256] or given.file

        values = sidecar_values(record, naming)
        values["priority"] = record.settings.priority
        if record.settings.timeout:
            values["timeout"] = record.settings.timeout
        _change(values, options)
        if name is not None:
            values["output"]["name"] = name
        self._check(values)
        return values

    def _check(self, values: dict[str, Any]) -> None:
        try:
            parsed = parse_grid(dump(values), "again")
            plan = make_plan("again.yaml", parsed, self._config, Backends())
            with_films(plan, parsed, self._kinds(parsed))
            check_weights(plan, self._config)
        except SidecarError as error:
            raise without_places(error, "command line") from None

    def _kinds(self, parsed: GridFile) -> dict[str, Any]:
        """The kind of film that the content is, as the record has it; None for a picture."""
        film = self._record.settings.film
        kind = None if film is None or film.kind == STILL else film.kind
        return dict.fromkeys(parsed.sidecar.content, kind)

    def copy(self, named: Iterable[_Named], stem: str) -> list[_Named]:
        """Copy the pictures that the sidecar cannot name to the top of the inbox."""
        up = os.path.relpath(".", self.place or ".")
        done = []
        for each in named:
            reference = each.reference
            if not reference:
                called = PurePosixPath(split_frame(each.given.file)[0]).name
                if is_ignored(called) or is_sidecar(called):
                    called = f"{stem}-picture"
                target, source = self._inbox.path / called, each.found
                copy = drop_known(source.root, source.name, target, each.given.sha256, Files())
                reference = str(PurePosixPath(up, copy.name)) + frame_of(each.given.file)
            done.append(_Named(each.given, each.found, reference))
        return done


def _change(values: dict[str, Any], options: Sequence[str]) -> None:
    """Lay the changes over the values; options are those of one backend, and go with it."""
    changes: dict[str, Any] = {}
    for option in options:
        set_option(changes, option)
    if changes.get("backend", values["backend"]) != values["backend"]:
        values.pop("options", None)
    for key, change in changes.items():
        is_both = isinstance(change, dict) and isinstance(values.get(key), dict)
        values[key] = values[key] | change if is_both else change
