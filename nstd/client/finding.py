"""The result of one check of `nstd doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """The result of a check of `what`; `hint` says what to do if the level is not `ok`."""

    level: Level
    what: str
    message: str
    hint: str = ""
