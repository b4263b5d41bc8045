"""Claims: a sidecar leaves the inbox by one rename, and is a job once its folder is in `work`.

So does a picture of a recipe that is archived or deleted; of one that is kept, a note is taken that
no second claim can take. What lies below `inbox/.nstd/<id>` is a claim in flight. When `work/<id>`
exists, or the log says that the job has ended, the claim is done and what lies there is spare.
Otherwise it is moved back to the inbox, and its notes are given back: at once when `work/.new/<id>`
shows that the claim is ours, else after an hour, because another daemon may be working on it.
`work/.new/<id>` is a job folder that is being filled or removed. It is removed when the inbox is
mounted and has no claim of that name.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TypeVar

from nstd.errors import NstdError, printable
from nstd.intake.archive import Archive
from nstd.intake.claimed_notes import ClaimedNotes
from nstd.intake.made import Made
from nstd.intake.plan import EffectiveSettings, Plan
from nstd.intake.ready import Ready
from nstd.intake.staging import Staging
from nstd.logs.log import emit, keep_job_log
from nstd.queue.batch import Batch
from nstd.queue.job import Failure, Job, new_job_id
from nstd.queue.store import JobStore, folders_of_jobs
from nstd.system.durable import Files
from nstd.system.layout import CLAIMED_NOTES, CLAIMS, TAKEN
from nstd.system.nofollow import Folder, refuse_links

ABANDONED_AFTER = 3600.0
"""Seconds after which a claim of another daemon is moved back to the inbox as abandoned."""
Claimed = TypeVar("Claimed", Job, Batch)


def log_claimed(job: Job, log: Path, **batch: str) -> None:
    """Start the job's own log at `log`, and log that the job was claimed."""
    keep_job_log(job.id, log)
    emit(
        "job.claimed",
        job=job.id,
        name=job.name,
        sidecar=printable(job.sidecar_path),
        backend=job.backend,
        priority=job.priority,
        **batch,
    )


class Claims:
    """The claims in flight between an inbox and a job store."""

    def __init__(
        self, store: JobStore, inbox: Folder, files: Files, made: Made, archive: Path
    ) -> None:
        """`archive` is the folder for pictures of recipes that are archived."""
        self._store, self._inbox, self._files = store, inbox, files
        self._made, self._notes = made, ClaimedNotes(made, inbox)
        self._archive = Archive(archive, files)
        self._claims = inbox.path / CLAIMS
        self._foreign: dict[str, float] = {}

    def claim(self, ready: Ready, order: EffectiveSettings, failure: Failure | None) -> Job | None:
        """Claim a ready sidecar: move it out of the inbox and copy the pictures that it names.

        None when another process took it first, or a picture was made already. Raises OSError when
        the disk fails, and StoreError when a file changed meanwhile. After an error the sidecar is
        back in the inbox; if not, a later `undo` and the recovery of jobs find out whether it
        became a job.
        """
        return self._claim(ready, self._store.work, lambda staging: staging.job(order, failure))

    def claim_batch(self, ready: Ready, plan: Plan, name: str) -> Batch | None:
        """The same for a sidecar that makes a batch; its members are staged in the batch's
        folder."""
        return self._claim(ready, self._store.batches, lambda staging: staging.batch(plan, name))

    def _claim(
        self, ready: Ready, home: Path, fill: Callable[[Staging], Claimed]
    ) -> Claimed | None:
        if ready.recipe is not None and self._notes.is_made(ready):
            return None
        job_id = self._begin()
        claim = self._place_of_claim(ready, job_id)
        if claim is not None and not self._take(ready.name, claim, job_id):
            return None
        try:
            staging = Staging(self._files, self._inbox, ready, claim, self._store.new / job_id)
            made = fill(staging)
            notes = self._notes.take(self._claims / job_id, ready, staging)
            if notes is None:  # another daemon was faster
                self._undo(job_id)
                return None
            self._files.make_folder(home)
            self._files.rename(self._store.new / job_id, home / job_id)
        except (OSError, NstdError):
            self._undo(job_id)
            raise
        for folder, note in notes:
            self._made.remember(folder, note)
        self._finish(job_id)
        return made

    def _place_of_claim(self, ready: Ready, job_id: str) -> Path | None:
        """Where a claimed file goes; None for a picture that is kept where it is."""
        mode = "" if ready.recipe is None else ready.recipe.pictures
        if mode == "keep":
            return None
        return self._claims / job_id / TAKEN.get(mode, "") / ready.name

    def _take(self, name: str, claim: Path, job_id: str) -> bool:
        """Take a file out of the inbox by one rename; False when another process took it first."""
        self._files.make_folder(claim.parent, below=self._inbox.path)
        try:
            self._files.rename(self._inbox.path / name, claim)
        except FileNotFoundError:
            if not os.path.lexists(claim):  # it can exist: NFS repeats a rename
                if not self._undo(job_id):  # nobody took it: the inbox is unreachable
                    raise
                return False
        return True

    def _finish(self, job_id: str) -> None:
        """The claim has become a job: archive or delete what was taken out of the inbox."""
        archived = self._claims / job_id / TAKEN["archive"]
        for path in sorted(archived.rglob("*")):
            if not path.is_dir():
                self._archive.take(path, str(path.relative_to(archived)))
        self._files.remove_tree(self._claims / job_id)

    def _begin(self) -> str:
        """A new id, unique among the daemons at this inbox, with folders for its job and its
        claim."""
        self._files.make_folder(self._claims, below=self._inbox.path)
        while True:
            job_id = new_job_id()
            homes = (self._store.new, self._store.work, self._store.batches)
            if any((home / job_id).exists() for home in homes):
                continue
            self._files.make_folder(
                self._store.new / job_id
            )  # first, because it shows that the claim is ours
            with suppress(FileExistsError):  # another daemon at this inbox uses this id
                self._files.make_new_folder(self._claims / job_id, below=self._inbox.path)
                return job_id
            self._files.remove_tree(self._store.new / job_id)

    def _undo(self, job_id: str) -> bool:
        """Move the file of a claim back to its place, and give back its notes, unless the claim
        has become a job.

        False when the claim may still exist. The inbox can be unmounted and mounted at any
        moment, so the sidecar is not removed, nor the folder that shows that the claim is ours.
        """
        if self._is_done(job_id):
            return True
        with suppress(FileNotFoundError):
            for path in sorted((self._claims / job_id).rglob("*")):
                if not path.is_dir():
                    self._put_back(job_id, path.relative_to(self._claims / job_id))
        self._files.remove_empty(self._claims / job_id)
        is_gone = self._is_absent(job_id)
        if is_gone:
            self._files.remove_tree(self._store.new / job_id)
        return is_gone

    def _put_back(self, job_id: str, ours: Path) -> None:
        """Undo what one file in the folder of a claim stands for."""
        path, (kind, *rest) = self._claims / job_id / ours, ours.parts
        if kind == CLAIMED_NOTES:
            self._made.give_back(job_id, PurePosixPath(*rest))
            self._files.unlink(path)
            return
        back = Path(*rest) if kind in TAKEN.values() else ours
        self._files.move_to_free_name(path, self._inbox.path / back, below=self._inbox.path)

    def _is_done(self, job_id: str) -> bool:
        """Whether a claim has become a job or a batch; its sidecar is then a spare copy."""
        return self._store.paths(job_id).job.exists() or self._store.batch(job_id).manifest.exists()

    def _is_absent(self, job_id: str) -> bool:
        """Whether the inbox is mounted (its folder of claims exists) and has no such claim."""
        try:
            return job_id not in os.listdir(self._claims)  # noqa: PTH208 - one look, and names alone
        except FileNotFoundError:
            return False

    def undo(self, now: float, has_ended: Callable[[str], bool]) -> bool:
        """Finish or undo the claims that a crash or an error left in flight.

        False while there are claims of other daemons, to be checked again later. Raises OSError.
        """
        refuse_links(self._inbox.path, self._claims)
        claims = {folder.name for folder in folders_of_jobs(self._claims)}
        over = {name for name in claims if self._is_done(name) or has_ended(name)}
        ours = {name for name in claims - over if self._is_ours(name)}
        others = claims - over - ours
        self._foreign = {name: self._foreign.get(name, now) for name in others}
        abandoned = {name for name in others if now - self._foreign[name] >= ABANDONED_AFTER}
        for name in sorted(ours | abandoned):
            self._undo(name)
        for name in sorted(over):
            self._finish(name)
        for folder in folders_of_jobs(self._store.new):
            if self._is_absent(folder.name):
                self._files.remove_tree(folder)
        return others == abandoned

    def _is_ours(self, job_id: str) -> bool:
        places = (
            self._store.new / job_id,
            self._store.paths(job_id).folder,
            self._store.batch(job_id).folder,
        )
        return any(place.exists() for place in places)
