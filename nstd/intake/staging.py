"""Staging: fills the folder of a new job, or of each job of a batch, during the claim."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nstd.documents.grid import member_sidecar
from nstd.documents.model import Membership
from nstd.documents.sidecar import Sidecar, SidecarFile
from nstd.documents.sidecar_writer import dump
from nstd.errors import StoreError, printable
from nstd.intake.locator import Found
from nstd.intake.names import is_recipe
from nstd.intake.plan import EffectiveSettings, Plan, safe_name
from nstd.intake.ready import Ready
from nstd.queue.batch import Batch, BatchPaths, Member
from nstd.queue.job import Failure, Input, Job
from nstd.queue.paths import JobPaths
from nstd.system.durable import Files
from nstd.system.folder_digest import digest_of_folder
from nstd.system.nofollow import Folder


def place_of(ready: Ready) -> str:
    """The folder of the outbox that mirrors the sidecar's folder in the inbox; "" at the top."""
    return "/".join(safe_name(part) for part in PurePosixPath(ready.name).parent.parts)


def sidecar_name(ready: Ready) -> str:
    """The file name of the sidecar in the folder of its job."""
    path = PurePosixPath(ready.name)
    if ready.recipe is None:
        return f"{safe_name(path.stem)}{path.suffix}"
    name = f"{safe_name(path.stem)}.yaml"
    return f"{safe_name(path.name)}.yaml" if is_recipe(name) else name


class CopiedPicture(NamedTuple):
    """A picture of the inbox that was copied into the folder, and the SHA-256 of its bytes."""

    picture: Found
    sha256: str


class Staging:
    """Fills `folder`, which no other part reads yet, from what is claimed.

    That is a sidecar, now at `claim`, or a picture of a recipe, which lies there if it was taken
    out of the inbox. `copied` are the pictures of the inbox, by name.
    """

    def __init__(
        self, files: Files, inbox: Folder, ready: Ready, claim: Path | None, folder: Path
    ) -> None:
        self._files, self._inbox, self._ready = files, inbox, ready
        self._folder, self._id = folder, folder.name
        self._claimed_file: Found | None = None
        if claim is not None:
            place = Folder(claim.parent)
            self._claimed_file = Found(claim.name, place, claim.name, ready.signature)
        self._place, self._name = place_of(ready), sidecar_name(ready)
        self._claimed = time.time()
        self._copies: dict[str, tuple[Path, str]] = {}
        self.copied: dict[str, CopiedPicture] = {}

    def job(self, order: EffectiveSettings, failure: Failure | None) -> Job:
        """One job; with a `failure`, the job that publishes why the sidecar was refused."""
        paths, parsed = JobPaths(self._folder), self._ready.parsed
        inputs: tuple[Input, ...] = ()
        if failure is None and parsed is not None:
            (part,) = parsed.members(())
            inputs = tuple(self._inputs(part, paths))
        membership = parsed.sidecar.batch if parsed is not None else None
        job = self._job(self._id, self._name, order, inputs, membership)
        self._put_sidecar(paths.folder / job.sidecar)
        if failure is not None:
            self._files.write(paths.reason, failure.model_dump_json().encode())
        self._files.write(paths.job, job.model_dump_json(indent=1).encode())
        return job

    def batch(self, plan: Plan, name: str) -> Batch:
        """A batch with this name, and with the folders of its jobs staged in it."""
        paths = BatchPaths(self._folder)
        batch = Batch(
            id=self._id,
            name=name,
            folder=self._place,
            sidecar=self._name,
            submitted=min(self._ready.arrived, self._claimed),
            claimed=self._claimed,
            axes={axis.key: axis.recorded_values for axis in plan.axes},
            members=tuple(
                Member(job=f"{self._id}-{index:03}", name=member.order.name, axes=member.axes)
                for index, member in enumerate(plan.members)
            ),
        )
        self._put_sidecar(paths.folder / batch.sidecar)
        for index, member in enumerate(plan.members):
            self._stage(paths, batch, index, member.parsed, member.order)
        self._files.sync_folder(paths.staged)
        self._files.write(paths.manifest, batch.model_dump_json(indent=1).encode())
        return batch

    def _put_sidecar(self, target: Path) -> None:
        """The sidecar as it was dropped, or the one that the recipe makes for the picture."""
        if self._ready.recipe is None:
            assert self._claimed_file is not None
            self._copy(self._claimed_file, target)
        else:
            assert self._ready.parsed is not None
            self._files.write_new(target, iter([dump(self._ready.parsed.document.value)]))

    def _stage(
        self,
        batch_paths: BatchPaths,
        batch: Batch,
        index: int,
        part: SidecarFile,
        order: EffectiveSettings,
    ) -> None:
        """Stage one member. Its sidecar is complete: it can be run again on its own."""
        membership, job_id = batch.membership(index), batch.members[index].job
        paths = JobPaths(batch_paths.staged / job_id)
        self._files.make_folder(paths.folder)
        inputs = tuple(self._inputs(part, paths, linked=True))
        job = self._job(job_id, f"{order.name}.yaml", order, inputs, membership)
        text = dump(member_sidecar(part, order.name, membership.model_dump()))
        self._files.write_new(paths.sidecar(job), iter([text]))
        self._files.write_new(paths.job, iter([job.model_dump_json(indent=1).encode()]))
        self._files.sync_folder(paths.folder)

    def _job(
        self,
        job_id: str,
        sidecar: str,
        order: EffectiveSettings,
        inputs: tuple[Input, ...],
        membership: Membership | None,
    ) -> Job:
        return Job(
            id=job_id,
            folder=self._place,
            sidecar=sidecar,
            inputs=inputs,
            submitted=min(self._ready.arrived, self._claimed),
            claimed=self._claimed,
            batch=membership,
            **order.model_dump(),
        )

    def _inputs(
        self, part: SidecarFile, paths: JobPaths, *, linked: bool = False
    ) -> Iterator[Input]:
        """Copy every picture of a sidecar; a picture that is named twice is copied twice.

        With `linked`, a picture that was copied for another job is hard-linked instead.
        """
        assert self._ready.parsed is not None
        found = dict(zip(self._ready.parsed.pictures, self._ready.pictures, strict=True))
        sidecar: Sidecar = part.sidecar
        for reference in sidecar.references:
            picture = self._where(found[reference.source])
            file = reference.label + PurePosixPath(picture.name).suffix.lower()
            style = None if reference.style is None else sidecar.style[reference.style]
            origin = None if picture.is_folder else self._origin(picture)
            is_linked = linked and not picture.is_folder
            sha256 = (self._link if is_linked else self._copy)(picture, paths.folder / file)
            if picture.root == self._inbox and not picture.is_folder:
                self.copied.setdefault(picture.name, CopiedPicture(picture, sha256))
            yield Input(
                role=reference.role,
                style=reference.style,
                source=picture.source,
                file=file,
                sha256=sha256,
                bytes=picture.signature.size,
                frame=picture.frame,
                weight=style.weight if style else 1.0,
                scale=style.scale if style else 1.0,
                begin=style.begin if style else None,
                end=style.end if style else None,
                origin=origin,
                signature=picture.signature if origin and not self._ready.recipe else None,
            )

    def _where(self, picture: Found) -> Found:
        """Where a picture lies now: that of a recipe may have been taken out of the inbox."""
        is_taken = picture.root == self._inbox and picture.name == self._ready.name
        if not is_taken or self._claimed_file is None:
            return picture
        return replace(self._claimed_file, source=picture.source)

    def _origin(self, picture: Found) -> str | None:
        """The name in the inbox; None for pictures of the library, and for names that are not
        UTF-8."""
        is_ours = picture.root == self._inbox and picture.name.isprintable()
        return picture.name if is_ours else None

    def _link(self, picture: Found, target: Path) -> str:
        """Copy a picture for the first job that needs it, and link it for the others."""
        if picture.key in self._copies:
            copy, sha256 = self._copies[picture.key]
            self._files.link(copy, target)
        else:
            sha256 = self._copy(picture, target)
            self._copies[picture.key] = target, sha256
        return sha256

    def _copy(self, picture: Found, target: Path) -> str:
        """Copy a picture or a folder, and check that it did not change meanwhile."""
        if picture.is_folder:
            return self._copy_folder(picture, target)
        with picture.root.open(picture.name) as file:
            sha256 = self._files.copy(file, target, picture.signature.size)
        if not picture.root.signature(picture.name).same_bytes(picture.signature):
            raise StoreError("io_error", f"{printable(picture.name)} changed while it was copied")
        return sha256

    def _copy_folder(self, picture: Found, target: Path) -> str:
        """Copy the files of a folder, and check that none has changed meanwhile."""
        self._files.make_folder(target)
        copied = []
        for leaf, signature in picture.root.signatures(picture.name).items():
            if leaf[0] != ".":
                with picture.root.open(f"{picture.name}/{leaf}") as file:
                    copied.append((leaf, self._files.copy(file, target / leaf, signature.size)))
        self._files.sync_folder(target)
        if not picture.root.folder_signature(picture.name).same_bytes(picture.signature):
            raise StoreError("io_error", f"{printable(picture.name)} changed while it was copied")
        return digest_of_folder(copied)
