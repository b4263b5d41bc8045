"""What becomes of inbox pictures when their job is done: kept, archived or deleted."""

from __future__ import annotations

import itertools
from pathlib import Path

from nstd.config import Config
from nstd.errors import SidecarError
from nstd.files import Files, numbered
from nstd.inbox import Inbox
from nstd.job import Job
from nstd.log import emit
from nstd.outbox import ARCHIVE


class Clearance:
    """Finished jobs whose pictures wait until no sidecar needs them."""

    def __init__(self, config: Config, inbox: Inbox, files: Files) -> None:
        self._inbox, self._files = inbox, files
        self._waiting: dict[str, Job] = {}
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings."""
        self._action = config.jobs.pictures
        self._archive = config.folder("outbox") / ARCHIVE

    def add(self, job: Job) -> None:
        """The job is finished: its pictures may go."""
        if self._action != "keep" and any(picture.origin for picture in job.inputs):
            self._waiting[job.id] = job

    def work(self) -> None:
        """Clear what nobody needs any more; what fails is left where it is. Raises OSError."""
        for job in list(self._waiting.values()):
            origins = {picture.origin: picture for picture in job.inputs if picture.origin}
            if any(self._inbox.may_need(origin) for origin in origins):
                continue
            del self._waiting[job.id]
            cleared = [name for name, given in origins.items() if self._clear(name, given.bytes)]
            if cleared:
                emit("pictures.cleared", job=job.id, files=cleared, action=self._action)

    def _clear(self, name: str, size: int) -> bool:
        path = self._inbox.root.path / name
        try:
            if self._inbox.root.look(name).size != size:
                return False  # another picture by now
        except (FileNotFoundError, SidecarError):
            return False
        if self._action == "archive":
            target = self._free(self._archive / name)
            self._files.make_folder(target.parent)
            self._files.copy_file(path, target)
            self._files.sync_folder(target.parent)
        self._files.unlink(path)
        return True

    @staticmethod
    def _free(path: Path) -> Path:
        return next(itertools.dropwhile(Path.exists, numbered(path)))
