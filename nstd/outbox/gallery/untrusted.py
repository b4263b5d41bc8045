"""Reading of JSON that anybody may have written: what is not of the kind asked for is left out."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nstd.errors import printable

_MOST_BYTES = 8 << 20


def read(path: Path) -> dict[str, Any] | None:
    """The mapping in a JSON file; None where there is none. Waits for no FIFO."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        try:
            data = file.read(_MOST_BYTES + 1)
            value = json.loads(data) if len(data) <= _MOST_BYTES else None
        except (OSError, ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def text(of: dict[str, Any], key: str, most: int = 300) -> str:
    """A text, in which nothing is hidden but line breaks."""
    value = of.get(key)
    lines = value[: most + 1].splitlines() if isinstance(value, str) else []
    shown = "\n".join(printable(line) for line in lines)
    return shown if len(shown) <= most else f"{shown[:most]}…"


def number(of: dict[str, Any], key: str) -> float | None:
    """A finite number."""
    value = of.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def numbers(of: Iterable[dict[str, Any]], key: str) -> list[float | None]:
    """The same of each."""
    return [number(each, key) for each in of]


def mapping(of: dict[str, Any], key: str) -> dict[str, Any]:
    """A mapping."""
    value = of.get(key)
    return value if isinstance(value, dict) else {}


def mappings(of: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of mappings."""
    value = of.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
