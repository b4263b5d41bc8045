"""What `nstd doctor` says of one thing that it has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `hint` says what to do where the level is not `ok`."""

    level: Level
    what: str
    message: str
    hint: str = ""
