"""The progress of a running job: reported by its worker, stored in the folder of the job."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from nstd.documents.model import StoredModel, Version


class Report(StoredModel):
    """The progress of a running job. `elapsed` and `eta` are in seconds.

    `memory` is the memory in use, in bytes: of the accelerator, or of the process on a CPU.
    `picture_notes` say what is unusual about pictures of the job, each with the picture's name.
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
        """The level and the number of levels, under its name in the log, where `level` is taken."""
        return f"{self.level}/{self.levels}"


class ProgressNote(Report):
    """The whole content of `progress.json`: the last report, its slot, and when it came.

    `time` is in seconds since the epoch.
    """

    slot: str
    time: float
    schema_version: Version = 1


def read_progress(path: Path) -> ProgressNote | None:
    """The last report of a running job; None while there is no readable report."""
    try:
        return ProgressNote.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
