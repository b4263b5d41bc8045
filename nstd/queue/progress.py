"""How far a running job is: told by its worker, kept beside the job, read by who shows it."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from nstd.documents.model import StoredModel, Version


class Report(StoredModel):
    """How far a running job is; `elapsed` and `eta` are seconds.

    `memory` is what it holds now: bytes of its accelerator, else of its process. `picture_notes`
    say what is odd about pictures of the job, each with the picture's name.
    """

    job: str
    step: int
    steps: int
    level: int
    levels: int
    fraction: float
    losses: dict[str, float]
    elapsed: float
    eta: float | None
    note: str = ""
    picture_notes: tuple[str, ...] = ()
    memory: int | None = None

    @property
    def scale(self) -> str:
        """Which level of how many, in the word of the log: `level` is taken there."""
        return f"{self.level}/{self.levels}"


class ProgressNote(Report):
    """The whole content of `progress.json`: the last report, its slot, and when it came.

    `time` is in seconds since the epoch.
    """

    slot: str
    time: float
    schema_version: Version = 1


def read_progress(path: Path) -> ProgressNote | None:
    """The last report of a running job; None while there is none that can be read."""
    try:
        return ProgressNote.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
