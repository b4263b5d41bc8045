"""The health of the daemon, as it writes it to disk for `nstd status` and other readers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from nstd.documents.model import StoredModel, Text, Version
from nstd.queue.inbox_note import InboxNote
from nstd.queue.recipe_state import RecipeState
from nstd.queue.start_pause import StartPause

BEAT = 30.0
"""Seconds after which the daemon renews the time of the file, as a sign of life."""


class DeviceHealth(StoredModel):
    """A device: `state` is `up` or `down`; `retry_at` is in whole seconds since the epoch."""

    device: str
    slots: int
    state: str
    failures: int
    retry_at: int | None = Field(default=None, exclude_if=lambda value: value is None)


class Health(StoredModel):
    """The whole content of `work/daemon.json`.

    `running` has the slot of each running job, `unavailable` the backends that cannot be used for
    now, and why; `version` is that of nstd. `paused` says why nothing is claimed, `start_pause` why
    nothing is started.
    """

    pid: int
    version: str = ""
    started: float = 0.0
    state: str = "starting"
    paused: Text = ""
    start_pause: StartPause | None = None
    inbox_lost: bool = False
    devices: tuple[DeviceHealth, ...] = ()
    notes: tuple[InboxNote, ...] = ()
    recipes: tuple[RecipeState, ...] = ()
    running: dict[str, str] = Field(default_factory=dict)
    unavailable: dict[str, Text] = Field(default_factory=dict)
    schema_version: Version = 1


def read_health(path: Path) -> Health | None:
    """The health that the daemon wrote last; None where there is no readable file."""
    try:
        return Health.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
