"""A root with an inbox that settles at once, its job store and its claims."""

from __future__ import annotations

from pathlib import Path

from nstd.documents.config import Config
from nstd.intake.claim import Claims
from nstd.intake.inbox import Inbox
from nstd.intake.plan import plain_order
from nstd.intake.ready import Ready
from nstd.queue.job import Failure, Job
from nstd.queue.store import JobStore
from nstd.system.durable import Files
from support.disk import names_in


class Bench:
    """A root with an inbox that settles at once, and its store."""

    def __init__(self, root: Path, files: Files | None = None, work: Path | None = None) -> None:
        self.root, self.inbox, self.work = root, root / "inbox", work or root / "work"
        for folder in (self.inbox, self.work, root / "styles"):
            folder.mkdir(parents=True, exist_ok=True)
        self.config = Config.at(root, watch={"settle": 0})
        self.files = files or Files()
        self.look = Inbox(self.config, files=self.files)
        self.store = JobStore(self.work, self.files)
        archive = root / "outbox" / "archive"
        self.claims = Claims(self.store, self.look.root, self.files, self.look.made, archive)

    def pair(self, name: str = "a.yaml") -> Path:
        """Put a sidecar and its pictures into the inbox."""
        folder = (self.inbox / name).parent
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "c.png").write_bytes(b"content")
        (folder / "S.PNG").write_bytes(b"style")
        path = self.inbox / name
        path.write_text("content: c.png\nstyle: [{image: S.PNG, weight: 0.5}]\n")
        return path

    def ready(self) -> list[Ready]:
        """What the inbox says, read for a claim."""
        return [ready for each in self.look.ready(0.0) if (ready := self.look.read(each))]

    def claim(self, ready: Ready, failure: Failure | None = None) -> Job | None:
        """Claim it."""
        order = plain_order(ready.name, ready.parsed, self.config)
        return self.claims.claim(ready, order, failure)

    def claimed(self, name: str = "a.yaml") -> Job:
        """A job that was claimed."""
        self.pair(name)
        job = self.claim(self.ready()[0])
        assert job is not None
        return job

    def in_flight(self) -> list[str]:
        """What lies in the folders of claims that are not done."""
        places = (self.inbox / ".nstd", self.work / ".new")
        return [name for place in places if place.exists() for name in names_in(place)]


def never(job: str) -> bool:
    """No job has ended."""
    return False
