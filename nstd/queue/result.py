"""What a worker writes into the folder of its job: how the picture was made, or why it failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from nstd.documents.model import Count, Number, StoredModel, Text, Version
from nstd.queue.job import Failure

_POINT = {"step", "level", "seconds"}
"""Keys of a point of a loss curve that are not losses."""


def _absent() -> Any:
    """A field that is left out of the file when it has no value."""
    return Field(default=None, exclude_if=lambda value: value is None)


class PictureFacts(StoredModel):
    """The file of a finished picture; `width` and `height` are in pixels.

    Of a film also the number of its frames, its length in seconds, its frames in a second, and
    whether it has sound. If it is a folder of frames, `sha256` is that of `digest_of_folder`.
    """

    sha256: str = ""
    bytes: Count = 0
    width: Count = 0
    height: Count = 0
    frames: Count | None = _absent()
    seconds: Number | None = _absent()
    rate: Number | None = _absent()
    sound: bool | None = _absent()


class Provenance(StoredModel):
    """How a picture was made: reported by the worker and kept in the record.

    `notes` say what was unusual, mostly about its pictures; absent if there are none. `losses` are
    points of the loss curves: the step, its level, the seconds since the start, and the losses by
    name. `seconds` has the time of each phase; `peak_memory` is in bytes, by place.
    """

    network: dict[str, Any] | None = None
    seed: Count | None = None
    stopped: Text | None = None
    device: str = ""
    slot: str = ""
    device_name: Text = ""
    steps: Count = 0
    notes: tuple[Text, ...] = Field(default=(), exclude_if=lambda value: not value)
    losses: tuple[dict[str, Number], ...] = ()
    seconds: dict[str, Number] = Field(default_factory=dict)
    peak_memory: dict[str, Count] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def last_losses(self) -> dict[str, float]:
        """The losses of the last step, by name."""
        return losses_of(self.losses)


def losses_of(points: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The losses of the last of some points, by name."""
    last = points[-1] if points else {}
    return {name: value for name, value in last.items() if name not in _POINT}


class WorkerResult(Provenance):
    """The whole content of `result.json`: the last write of an attempt, and the one that ends it.

    Fields that a record needs have no default values.
    """

    picture: PictureFacts
    device: str
    steps: Count
    losses: tuple[dict[str, Number], ...]
    seconds: dict[str, Number]
    peak_memory: dict[str, Count]
    schema_version: Version = 1


class FailureRecord(Failure):
    """The whole content of a job's `reason.json`: why it failed."""

    schema_version: Version = 1
