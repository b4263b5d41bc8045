"""Checks results and failures: the folder, its record, and the pictures that the record names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from nstd.client.verify.damage import Damage
from nstd.client.verify.picture_reader import PictureReader
from nstd.errors import SidecarError, in_shell, printable
from nstd.intake.names import is_sidecar
from nstd.outbox.own import is_record_of
from nstd.outbox.record import Reason, Record
from nstd.outbox.results import read_ended
from nstd.outbox.survey import OutboxFolder
from nstd.queue.batch import MANIFEST
from nstd.queue.job import JOB_ID
from nstd.system.folder_digest import sha256_of, sha256_of_folder
from nstd.system.layout import without_failed
from nstd.system.nofollow import Folder
from nstd.system.units import format_size


class ResultChecks:
    """Checks the folders one after the other; remembers the ids of their jobs."""

    def __init__(self, outbox: Path, pictures: PictureReader) -> None:
        self._outbox, self._folder, self._pictures = outbox, Folder(outbox), pictures
        self._jobs: dict[str, str] = {}

    def check(self, place: OutboxFolder) -> Iterator[Damage]:
        """What is wrong with a result or a failure, or with a folder that has no record."""
        if place.kind == "link":
            yield self._damage(
                "link",
                place,
                "is a link that leads out of the outbox; it is not followed",
                "remove it, or put the folder itself there",
            )
        elif place.kind == "no record":
            yield self._damage(
                "record_missing",
                place,
                "has a result or a failure, but no record",
                self._again(place),
            )
        else:
            yield from self._links(place)
            yield from self._with_record(place)

    def _with_record(self, place: OutboxFolder) -> Iterator[Damage]:
        record = read_ended(self._outbox / place.record)
        if record is None or not JOB_ID.fullmatch(record.job):
            if (self._outbox / place.record).is_symlink():
                return  # told as a link
            yield self._damage(
                "record_torn",
                place,
                f"{PurePosixPath(place.record).name} cannot be read, or is no record",
                f"{self._again(place)}; then remove this folder",
            )
            return
        is_own = is_record_of(record, place.path)
        other = self._jobs.setdefault(record.job, place.path) if is_own else place.path
        if other != place.path or not is_own:
            said = f"as in {printable(other)}" if is_own else "of another name"
            yield self._damage(
                "record_foreign",
                place,
                f"has the record of another job, {printable(record.name)} ({record.job}), {said}",
                "if it is a copy of that folder, move it out of the outbox; else "
                f"{self._again(place)}, and remove this folder",
            )
            return
        yield from self._sidecar(record, place)
        if isinstance(record, Record):
            yield from self._picture(record, place)
        else:
            yield from self._copies(record, place)

    def _sidecar(self, record: Record | Reason, place: OutboxFolder) -> Iterator[Damage]:
        """The copy of the sidecar beside each result and failure."""
        try:
            names = os.listdir(self._outbox / place.path)  # noqa: PTH208 - names alone
        except OSError:
            return
        is_result = isinstance(record, Record)
        own = f"{PurePosixPath(place.path).name}.yaml"
        if own in names if is_result else any(map(is_sidecar, names)):
            return
        again = f"`nstd again {in_shell(place.path)}`"
        hint = f"the record has all that it said: {again} writes it anew, as a new result"
        if not is_result:
            hint = f"`nstd retry` needs it: {again} with a change (-o) makes the job of its record"
        yield self._damage("sidecar_missing", place, "its sidecar is missing", hint)

    def _links(self, place: OutboxFolder) -> Iterator[Damage]:
        """nstd makes no links in the folders of results; none is followed."""
        for folder, inner, names in os.walk(self._outbox / place.path):
            for name in sorted(inner + names):
                path = Path(folder, name)
                if path.is_symlink():
                    where = path.relative_to(self._outbox)
                    yield Damage(
                        "link",
                        printable(where),
                        "is a link, which nstd never makes here; it is not followed",
                        "remove it, or put the file itself there",
                        unit=place.path,
                    )

    def _picture(self, record: Record, place: OutboxFolder) -> Iterator[Damage]:
        output, name = record.output, f"{place.path}/{record.output.file}"
        again = f"`nstd again {in_shell(place.path)}` makes it once more; then remove this folder"
        is_folder = record.settings.format == "frames"
        try:
            sign = self._folder.folder_signature if is_folder else self._folder.signature
            size = sign(name).size
        except FileNotFoundError:
            said = f"its picture {printable(output.file)} is missing"
            yield self._damage("picture_missing", place, said, again)
            return
        except (OSError, SidecarError) as error:
            if not (self._outbox / name).is_symlink():
                said = f"its picture cannot be read: {printable(str(error))}"
                yield self._damage("picture_unreadable", place, said, again)
            return
        if size != output.bytes:
            said = f"its picture has {format_size(size)} instead of {format_size(output.bytes)}"
            yield self._damage("picture_changed", place, said, again)
            return
        found = self._pictures.read(name, output.width, output.height, output.frames)
        if found.error:
            said = f"its picture cannot be decoded: {found.error}"
            yield self._damage("picture_unreadable", place, said, again)
        elif found.sha256 != output.sha256:
            said = "its picture is not that of the record: the SHA-256 is another"
            yield self._damage("picture_changed", place, said, again)

    def _copies(self, reason: Reason, place: OutboxFolder) -> Iterator[Damage]:
        """The copies of the pictures of a failed job, of which `nstd retry` makes it again."""
        for given in reason.inputs.pictures():
            if given.kept is None:
                continue
            name = f"{place.path}/inputs/{PurePosixPath(given.kept).name}"
            try:
                is_folder = given.file.endswith("/")
                sha256 = (sha256_of_folder if is_folder else sha256_of)(self._folder, name)
            except (OSError, SidecarError):
                sha256 = ""
            if sha256 == given.sha256 or (self._outbox / name).is_symlink():
                continue
            source = printable(given.file)
            said = f"its copy of {source} is {'changed' if sha256 else 'missing'}"
            hint = f"before `nstd retry`, put {source} into the inbox again"
            yield self._damage("copy_changed" if sha256 else "copy_missing", place, said, hint)

    def _again(self, place: OutboxFolder) -> str:
        """How the sidecar beside a damaged record makes the job once more: from the folder of the
        inbox that the outbox mirrors."""
        folder = without_failed(PurePosixPath(place.path)).parent
        if (self._outbox / folder / MANIFEST).exists():
            folder = folder.parent  # a batch has a folder of its own
        into = in_shell(PurePosixPath("inbox", folder))
        return f"its sidecar beside it makes the job once more: copy that into {into}"

    def _damage(self, kind: str, place: OutboxFolder, message: str, hint: str) -> Damage:
        return Damage(kind, printable(place.path), message, hint, unit=place.path)
