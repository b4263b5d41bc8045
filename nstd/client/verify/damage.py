"""What `nstd verify` finds: one damage, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Repair = Literal["", "gallery", "sheet", "leftovers"]
"""How `nstd verify --repair` mends it; "": a person has to."""


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong. `place` is relative to the folder `root` of nstd, or absolute."""

    kind: str
    place: str
    message: str
    hint: str
    repair: Repair = ""
    unit: str = ""
    """The folder in the outbox that is looked at again, or `gallery` or `work`."""
