"""What happens to inbox pictures after their job: they are kept, archived or deleted."""

from __future__ import annotations

from nstd.documents.config import Config
from nstd.errors import SidecarError
from nstd.intake.archive import Archive
from nstd.intake.inbox import Inbox
from nstd.intake.locator import normal
from nstd.logs.log import emit
from nstd.queue.job import Input, Job
from nstd.system.durable import Files
from nstd.system.layout import ARCHIVE


class Cleanup:
    """Finished jobs whose pictures wait until no sidecar needs them.

    The list is only in memory: pictures that still wait when the daemon ends stay in the inbox.
    """

    def __init__(self, config: Config, inbox: Inbox, files: Files) -> None:
        self._inbox, self._files = inbox, files
        self._waiting: dict[str, Job] = {}
        self._scans = -1
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings."""
        self._action = config.jobs.pictures
        self._archive = Archive(config.folder("outbox") / ARCHIVE, self._files)

    def add(self, job: Job) -> None:
        """The job is finished: its pictures may be archived or deleted."""
        if self._action != "keep" and any(picture.origin for picture in job.inputs):
            self._waiting[job.id] = job
            self._scans = -1

    def work(self, _now: float) -> None:
        """Archive or delete pictures that no sidecar needs; does nothing until a scan of the inbox.

        Raises OSError; pictures that could not be moved or deleted stay in the inbox.
        """
        if not self._waiting or self._scans == self._inbox.scans:
            return
        self._scans = self._inbox.scans
        needed = self._inbox.needed()
        if needed is None:
            return
        for job in list(self._waiting.values()):
            pictures = {normal(p.origin): p for p in job.inputs if p.origin is not None}
            left = tuple(picture for name, picture in pictures.items() if name in needed)
            if left:
                self._waiting[job.id] = job.model_copy(update={"inputs": left})
            else:
                del self._waiting[job.id]
            self._clear(job, [p for name, p in pictures.items() if name not in needed])

    def _clear(self, job: Job, pictures: list[Input]) -> None:
        cleared = [picture.origin for picture in pictures if self._clear_picture(picture)]
        if cleared:
            emit("pictures.cleared", job=job.id, files=cleared, action=self._action)

    def _clear_picture(self, picture: Input) -> bool:
        """Archive or delete the file that was claimed; never another one of its name.

        The same bytes do not make it the same file: people drop a picture again for a new sidecar.
        """
        name = str(picture.origin)
        path = self._inbox.root.path / name
        try:
            if self._inbox.root.signature(name) != picture.signature:
                return False
        except (FileNotFoundError, SidecarError):
            return False
        if self._action == "archive":
            self._archive.take(path, name)
        else:
            self._files.unlink(path)
        return True

    # What the loop needs to know

    @property
    def is_idle(self) -> bool:
        """Always true: pictures that still wait may stay in the inbox."""
        return True

    def next_event(self, _now: float) -> float:
        """Never: it acts after scans of the inbox."""
        return float("inf")

    def waitables(self) -> tuple[()]:
        """Nothing to wait on."""
        return ()

    def close(self) -> None:
        """Nothing to write."""
