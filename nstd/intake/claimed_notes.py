"""The notes that a claim takes: of a picture that is kept, and of what its job uses beside it."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from nstd.errors import StoreError, printable
from nstd.intake.made import Made
from nstd.intake.made_note import MadeNote, key_of
from nstd.intake.ready import Ready
from nstd.intake.staging import Staging
from nstd.logs.log import emit
from nstd.system.nofollow import Folder


class ClaimedNotes:
    """Asks and takes notes for the claims of one inbox. Raises OSError."""

    def __init__(self, made: Made, inbox: Folder) -> None:
        self._made, self._inbox = made, inbox

    def is_made(self, ready: Ready) -> bool:
        """Whether the bytes of a picture are made already in its folder; tells of a second name.

        Raises StoreError when the file changed meanwhile.
        """
        with self._inbox.open(ready.name) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if self._inbox.signature(ready.name) != ready.signature:
            raise StoreError("io_error", f"{printable(ready.name)} changed while it was read")
        note = self._made.find(ready.folder, sha256)
        if note is None:
            return False
        if not self._made.is_final(ready.folder, note):  # a later scan looks again
            return True
        leaf = ready.name.rpartition("/")[2]
        if other := self._made.meet(ready.folder, note, leaf, ready.signature):
            reason = f"has the same bytes as {printable(other)}, which is made already"
            emit("picture.passed_over", path=printable(ready.name), reason=reason)
        return True

    def take(
        self, claim: Path, ready: Ready, staging: Staging
    ) -> list[tuple[str, MadeNote]] | None:
        """Take the notes of the pictures that were copied from folders with a recipe.

        They are no new contents there from now on. `claim` is the folder of the claim; its name is
        the id of the job. Returns the notes with their folders; None when another daemon has that
        of the picture itself.
        """
        taken: list[tuple[str, MadeNote]] = []
        for name, (picture, sha256) in staging.copied.items():
            folder, _, leaf = name.rpartition("/")
            if name not in ready.noted:
                continue
            is_content = ready.recipe is not None and name == ready.name
            if not is_content and self._made.find(folder, sha256) is not None:
                continue
            note = MadeNote(
                folder=printable(folder),
                sha256=sha256,
                job=claim.name,
                recipe=ready.recipe.file.digest if ready.recipe else "",
                is_content=is_content,
                made=time.time(),
                files={key_of(leaf): picture.signature},
            )
            if self._made.take(claim, folder, note):
                taken.append((folder, note))
            elif is_content:
                return None
        return taken
