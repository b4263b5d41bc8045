"""Durations, sizes and counts as people write them: `30m`, `2GiB`, `1 job`; and back again."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator, Field

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_BYTES: dict[str, int] = {"": 1, "B": 1}
for _power, _prefix in enumerate("kMGT", start=1):
    _BYTES[f"{_prefix}B"] = 1000**_power
    _BYTES[f"{_prefix}iB"] = 1024**_power
_BYTES |= {"KB": 1000, "KiB": 1024}
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
_PART = re.compile(rf"({_NUMBER})(ms|[smhd])")
_DURATION = re.compile(rf"(?:{_NUMBER}(?:ms|[smhd]))+")
_SIZE = re.compile(rf"({_NUMBER}) *([A-Za-z]*)")

LONGEST = 3650 * 86400
LARGEST = 2**60


def is_duration(text: str) -> bool:
    """Whether `text` is written as a duration."""
    return len(text) <= 100 and _DURATION.fullmatch(text.strip()) is not None


def parse_duration(text: str) -> float:
    """The seconds in `text`, such as `500ms`, `30m` or `1h30m`. Raises ValueError."""
    text = text.strip()
    if not is_duration(text):
        raise ValueError(f"not a duration: {text[:40]!r}; write it like 90s, 30m or 1h30m")
    parts = (Fraction(number) * _MILLISECONDS[unit] for number, unit in _PART.findall(text))
    return float(sum(parts, Fraction()) / 1000)


def parse_size(text: str) -> int:
    """The bytes in `text`, such as `512MiB` or `2GB`. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if not match or match[2] not in _BYTES:
        raise ValueError(f"not a size: {text[:40]!r}; write it like 500kB, 64MiB or 2GiB")
    return round(Fraction(match[1]) * _BYTES[match[2]])


def format_duration(seconds: float) -> str:
    """The usual spelling of a duration, to the millisecond: 5400 becomes `1h30m`, 0.5 `500ms`."""
    left = round(seconds * 1000)
    if 0 < left < 1000:
        return f"{left}ms"
    parts = []
    for unit in ("d", "h", "m"):
        count, left = divmod(left, _MILLISECONDS[unit])
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts + ([f"{left / 1000:g}s"] if left or not parts else []))


def format_size(size: float) -> str:
    """A size, to four digits, in the largest binary unit that gives at least one: `1.5KiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if float(f"{size:.4g}") < 1024:
            return f"{size:.4g}{unit}"
        size /= 1024
    return f"{size:.4g}TiB"


def counted(number: int, one: str, several: str = "") -> str:
    """`1 job` or `3 jobs`; `several` is the plural, where it is not the singular with an s."""
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def pictures_and_films(pictures: int, films: int) -> str:
    """`3 pictures and 1 film`; what there is none of is left out, unless there is nothing."""
    said = [counted(pictures, "picture")] if pictures or not films else []
    return " and ".join([*said, counted(films, "film")] if films else said)


@dataclass(frozen=True)
class Unit:
    """A kind of number that people write as text."""

    name: str
    parse: Callable[[str], float]
    format: Callable[[float], str]
    pattern: str  # for JSON Schema

    def read(self, value: object) -> object:
        """`value` as a number, from text or a number. Raises ValueError."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"expected a {self.name}")
        return self.parse(value) if isinstance(value, str) else value

    def reader(self) -> BeforeValidator:
        """The validator that puts `read` before a number."""
        text = Annotated[str, Field(pattern=self.pattern)]
        return BeforeValidator(
            self.read, json_schema_input_type=Annotated[float, Field(ge=0)] | text
        )


DURATION = Unit("duration", parse_duration, format_duration, r"^([0-9.]+(ms|[smhd]))+$")
SIZE = Unit("size", parse_size, format_size, r"^[0-9.]+ *([kMGT]?B|[KkMGT]iB|KB)?$")

# The reader is the last validator, so it runs first: the limits apply to its result.
Seconds = Annotated[
    float, Field(ge=0, le=LONGEST, allow_inf_nan=False), DURATION, DURATION.reader()
]
Bytes = Annotated[int, Field(ge=0, le=LARGEST), SIZE, SIZE.reader()]
