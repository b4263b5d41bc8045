"""The paths of a job folder, all defined in one class."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from nstd.documents.error_words import in_words
from nstd.documents.model import file_of
from nstd.errors import StoreError
from nstd.queue.job import Job
from nstd.queue.result import FailureRecord
from nstd.system.layout import REASON

_VIEW = "view-"


class JobPaths:
    """Every path of a job folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.job = folder / "job.json"
        self.checkpoint = folder / "checkpoint"
        self.preview = folder / "preview.jpg"
        self.progress = folder / "progress.json"
        self.log = folder / "job.log"
        self.result = folder / "result.json"
        self.reason = folder / REASON
        self.frames = folder / "frames"
        self.frames_table = folder / "frames.csv"
        self.sheet = folder / "sheet.png"

    def picture(self, job: Job) -> Path:
        """The finished picture; of a film its file, or its folder of frames."""
        return self.folder / file_of("picture", job.format)

    def frame(self, number: int) -> Path:
        """The finished frame of a film with this number, from 1."""
        return self.frames / f"{number:06}.png"

    def count_frames(self) -> int:
        """How many frames are there; 0 for a picture."""
        try:
            return sum(name.endswith(".png") for name in os.listdir(self.frames))  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def frame_facts(self, number: int) -> Path:
        """How that frame was made. It is written before the frame."""
        return self.frames / f"{number:06}.json"

    def view(self, name: str) -> Path:
        """A small picture for the gallery: of the `content`, the `result` ..."""
        return self.folder / f"{_VIEW}{name}.webp"

    def moving(self, name: str) -> Path:
        """A small film for the gallery: of the `content`, and of the `result`."""
        return self.folder / f"{_VIEW}{name}.mp4"

    def views(self) -> dict[str, Path]:
        """The small pictures and films that exist, by their names in the outbox."""
        found = sorted(self.folder.glob(f"{_VIEW}*"))
        return {path.name.removeprefix(_VIEW): path for path in found}

    def read_job(self) -> Job:
        """The job in this folder. Raises StoreError when it cannot be read."""
        try:
            return Job.model_validate_json(self.job.read_bytes())
        except (OSError, ValidationError) as error:
            raise StoreError("io_error", f"{self.job} cannot be read: {in_words(error)}") from None

    def sidecar(self, job: Job) -> Path:
        """The sidecar, as it was in the inbox."""
        return self.folder / job.sidecar

    def read_failure(self) -> FailureRecord | None:
        """Why the job failed, or None if it has not failed. Raises OSError."""
        try:
            return FailureRecord.model_validate_json(self.reason.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            message = f"{self.reason} cannot be read"
            return FailureRecord(code="internal_error", message=message)
