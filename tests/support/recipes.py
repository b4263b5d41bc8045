"""An inbox with recipe folders on a clock that the test moves, and what is claimed from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.intake.claim import Claims
from nstd.intake.inbox import Inbox
from nstd.intake.plan import make_plan, plain_order
from nstd.intake.ready import Ready
from nstd.queue.batch import Batch
from nstd.queue.job import Job
from nstd.queue.store import JobStore
from nstd.system.durable import Files

SETTLE = 5.0


class RecipeDesk:
    """A root, its inbox and its claims; another desk on the same root is another daemon."""

    def __init__(
        self,
        root: Path,
        files: Files | None = None,
        *,
        work: str = "work",
        backends: Backends | None = None,
        **settings: Any,
    ) -> None:
        self.root, self.folder, self.now = root, root / "inbox", 1000.0
        for folder in ("inbox", "styles", work, "outbox"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self.config = Config.at(root, watch={"settle": SETTLE}, **settings)
        files = files or Files()
        self.backends = backends
        self.inbox = Inbox(self.config, files=files, backends=backends)
        self.store = JobStore(root / work, files)
        archive = root / "outbox" / "archive"
        self.claims = Claims(self.store, self.inbox.root, files, self.inbox.made, archive)

    def drop(self, name: str, data: str = "") -> Path:
        """Put a file into the inbox; its own name is its content by default."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data or name)
        return path

    def recipe(self, folder: str = "starry", text: str = "style: s.png\n") -> Path:
        """Put a recipe into a folder, with a style of its own."""
        self.drop(f"{folder}/s.png", f"the style of {folder}")
        return self.drop(f"{folder}/recipe.yaml", text)

    def look(self, seconds: float = 0.0) -> list[Ready]:
        """What can be claimed so many seconds later."""
        self.now += seconds
        return self.inbox.ready(self.now)

    def settled(self) -> list[str]:
        """The names of what can be claimed when all that is there has settled."""
        self.look()
        self.look(SETTLE)  # recipes are read now, and their styles are seen
        return sorted(ready.name for ready in self.look(SETTLE))

    def claim(self, ready: Ready) -> Job | Batch | None:
        """Claim it, as a batch where it is one."""
        read = self.inbox.read(ready)
        if read is None:
            return None
        if self.backends is not None and read.parsed is not None:
            plan = make_plan(read.name, read.parsed, self.config, self.backends)
            if plan.axes:
                return self.claims.claim_batch(read, plan, plan.order.name)
        return self.claims.claim(read, plain_order(read.name, read.parsed, self.config), None)

    def make(self) -> list[str]:
        """Claim all that settles; the paths of the sidecars of the jobs."""
        self.settled()
        made = [self.claim(ready) for ready in self.look()]
        return sorted(each.sidecar_path for each in made if isinstance(each, Job))

    def sidecar(self, path: str) -> str:
        """The sidecar of a claimed job, by its path in the inbox."""
        (job,) = [job for job, _ in self.store.jobs() if job.sidecar_path == path]
        return self.store.paths(job.id).sidecar(job).read_text()

    def notes(self) -> dict[str, str]:
        """What people are told of files, by name."""
        return {note.name: note.message for note in self.inbox.notes()}
