"""The progress of a running job: reported by its worker, stored in the folder of the job."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from nstd.documents.model import StoredModel, Version


class Report(StoredModel):
    """The progress of a running job. `elapsed` and `eta` are in seconds.

    `memory` is the memory in use, in bytes: of the accelerator, or of the process on a CPU.
    `picture_notes` say what is unusual about pictures of the job, each with the picture's name.
    Of a film, `frame` is the number of the frame that is being worked on, from 1, and `frames` how
    many there are; steps and levels are those of the frame.
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
    frame: int | None = Field(default=None, exclude_if=lambda value: value is None)
    frames: int | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def scale(self) -> str:
        """The level and the number of levels, under its name in the log, where `level` is taken."""
        return f"{self.level}/{self.levels}"

    @property
    def place(self) -> str:
        """The frame of a film, or the step of a picture, and how many there are."""
        if self.frame is None:
            return f"{self.step}/{self.steps}"
        return f"frame {self.frame}" + (f"/{self.frames}" if self.frames else "")


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
