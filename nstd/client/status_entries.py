"""The entries of a status: made of the models of the files on disk; also as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from nstd.outbox.record import Reason, Record
from nstd.queue.batch import Batch
from nstd.queue.control import ControlRequest
from nstd.queue.health import DeviceHealth
from nstd.queue.inbox_note import InboxNote
from nstd.queue.job import Job
from nstd.queue.progress import ProgressNote
from nstd.queue.start_pause import StartPause

_OF_JOB = {"name", "folder", "backend", "priority", "attempt", "submitted"}
_OF_PROGRESS = {"job", "note", "slot", "schema_version"}
"""Fields of a progress note that the entry of a running job has elsewhere, or omits."""
_OF_END = {"job", "name", "state", "code", "message", "hint", "finished", "device"}


@dataclass(frozen=True)
class WaitingEntry:
    """A job in the work folder that does not run; `state` is usually `waiting`, or `held`."""

    job: Job
    state: str = "waiting"

    @property
    def is_held(self) -> bool:
        """Whether a person wants it not to start."""
        return self.state == "held"

    def as_json(self) -> dict[str, Any]:
        """For `nstd status --json`."""
        return _describe(self.job) | {"state": self.state}


@dataclass(frozen=True)
class RunningEntry:
    """A running job; it has no progress until the first report of its worker."""

    job: Job
    slot: str = ""
    progress: ProgressNote | None = None

    @property
    def device(self) -> str:
        """The device of its slot."""
        return self.slot.rpartition("/")[0]

    def as_json(self) -> dict[str, Any]:
        """For `nstd status --json`."""
        progress = self.progress.model_dump(exclude=_OF_PROGRESS) if self.progress else {}
        return _describe(self.job) | {"slot": self.slot, "device": self.device} | progress


@dataclass(frozen=True)
class EndedEntry:
    """A job that has ended, and its folder in the outbox."""

    end: Record | Reason
    output: str

    @property
    def state(self) -> str:
        """`finished`, `failed` or, where a person ended it, `cancelled`."""
        is_cancelled = isinstance(self.end, Reason) and self.end.code == "cancelled"
        return "cancelled" if is_cancelled else self.end.state

    @property
    def message(self) -> str:
        """The first line of the message of its failure; empty if it did not fail."""
        lines = self.end.message.splitlines() if isinstance(self.end, Reason) else []
        return lines[0] if lines else ""

    def as_json(self) -> dict[str, Any]:
        """For `nstd status --json`."""
        fields = self.end.model_dump(include=_OF_END)
        fields |= {"state": self.state, "output": self.output}
        return fields | ({"batch": self.end.batch.id} if self.end.batch else {})


@dataclass(frozen=True)
class BatchEntry:
    """A batch, and the counts of its jobs by state."""

    batch: Batch
    done: int
    failed: int
    cancelled: int
    running: int
    waiting: int
    held: int = 0

    def as_json(self) -> dict[str, Any]:
        """For `nstd status --json`."""
        return {
            "batch": self.batch.id,
            "name": self.batch.name,
            "output": self.batch.place,
            "of": len(self.batch.members),
            "done": self.done,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "running": self.running,
            "waiting": self.waiting,
            "held": self.held,
            "sheet": self.batch.sheet,
        }


@dataclass(frozen=True)
class RecipeEntry:
    """A folder with a recipe; `waiting` has all that has not ended and is not held.

    `held` has the pictures that wait for the release of the folder, and the jobs that are held
    each by itself, which are also in `held_jobs`.
    """

    folder: str
    waiting: int
    held: int
    done: int
    failed: int
    error: str = ""
    held_jobs: int = 0

    def as_json(self) -> dict[str, Any]:
        """For `nstd status --json`."""
        return dict(vars(self))


@dataclass(frozen=True)
class Status:
    """The status of a root. `unreadable` are job folders that a person must repair.

    `unavailable` are backends that cannot be used now, and why; their sidecars wait. `notes` are
    about files in the inbox that will not become jobs as they are. `paused` says why nothing is
    taken in, `start_pause` why nothing is started. `waiting` has the held jobs, too, as the last.
    `requests` are those that the daemon has not carried out yet.
    """

    root: str
    pid: int | None
    state: str
    paused: str = ""
    start_pause: StartPause | None = None
    inbox_lost: bool = False
    devices: tuple[DeviceHealth, ...] = ()
    inbox: tuple[str, ...] = ()
    held_in_inbox: tuple[str, ...] = ()
    requests: tuple[ControlRequest, ...] = ()
    waiting: tuple[WaitingEntry, ...] = ()
    running: tuple[RunningEntry, ...] = ()
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    recent: tuple[EndedEntry, ...] = ()
    batches: tuple[BatchEntry, ...] = ()
    recipes: tuple[RecipeEntry, ...] = ()
    unreadable: tuple[str, ...] = ()
    unavailable: dict[str, str] = field(default_factory=dict)
    notes: tuple[InboxNote, ...] = ()

    @property
    def unlisted(self) -> int:
        """How many of the jobs that have ended are not among the `recent`."""
        return self.done + self.failed + self.cancelled - len(self.recent)

    @property
    def alone(self) -> list[WaitingEntry]:
        """The waiting jobs that are not members of a batch."""
        return [entry for entry in self.waiting if entry.job.batch is None]

    @property
    def held(self) -> int:
        """How many jobs of the work folder are held."""
        return sum(entry.is_held for entry in self.waiting)

    def as_json(self) -> dict[str, Any]:
        """For `nstd status --json`."""
        return {
            **vars(self),
            "start_pause": self.start_pause and self.start_pause.model_dump(),
            "requests": [asdict(request) for request in self.requests],
            "devices": [device.model_dump() for device in self.devices],
            "waiting": [entry.as_json() for entry in self.waiting],
            "running": [entry.as_json() for entry in self.running],
            "recent": [entry.as_json() for entry in self.recent],
            "batches": [entry.as_json() for entry in self.batches],
            "recipes": [entry.as_json() for entry in self.recipes],
            "notes": [note.model_dump(mode="json") for note in self.notes],
        }


def _describe(job: Job) -> dict[str, Any]:
    of = {"batch": job.batch.id, "index": job.batch.index} if job.batch else {}
    return {"job": job.id, **job.model_dump(include=_OF_JOB), **of}
