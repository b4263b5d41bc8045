"""The section `retention` of the config: how long the outbox keeps what is in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from nstd.documents.model import Model
from nstd.documents.settings import Folder
from nstd.system.units import Bytes, Seconds


def _an_hour(seconds: float) -> float:
    if seconds < 3600:
        raise ValueError("expected at least 1h")
    return seconds


Kept = Annotated[Seconds, AfterValidator(_an_hour)] | None
"""A time in seconds for which something is kept, at least an hour; None: for ever."""


class RetentionSettings(Model):
    """How long the outbox keeps what is in it; without these, for ever. What goes is listed by
    `nstd expire --dry-run`. Nothing goes that is younger than an hour, or not made by nstd."""

    results: Kept = Field(
        None, description="Results and whole batches go after this time, like 90d; null: never."
    )
    failures: Kept = Field(None, description="The same for failed jobs, like 30d.")
    pictures: Kept = Field(None, description="The same for pictures in outbox/archive, like 90d.")
    size: Bytes | None = Field(
        None,
        description="The most that the outbox may take, like 200GiB; the oldest of all goes first. "
        "null: any size.",
    )
    move_to: Folder | None = Field(
        None,
        description="A folder that takes what goes, which must exist; null: it is deleted.",
    )

    @property
    def is_on(self) -> bool:
        """Whether anything ever goes."""
        return any(each is not None for each in (*self.times, self.size))

    @property
    def times(self) -> tuple[float | None, ...]:
        """How long results, failures and pictures are kept, in seconds."""
        return self.results, self.failures, self.pictures
