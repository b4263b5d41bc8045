"""Turns an event into a line of the structured log: processors of structlog, in this order.

merge_contextvars   adds the job, batch, slot and device that the code has bound
add_log_level       adds the level, which the table has for the event
TimeStamper         adds the time, in UTC
keep_to_table       keeps the fields that the table has for the event, in its order
clean               replaces values that strict JSON does not allow
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from structlog.contextvars import merge_contextvars
from structlog.processors import TimeStamper, add_log_level
from structlog.typing import EventDict, Processor, WrappedLogger

from nstd.errors import text_of
from nstd.logs.events import CONTEXT, EVENTS, HEAD

_LARGEST = 2**63
"""Many readers of JSON support no larger integers, and Python refuses to print very large ones."""


def keep_to_table(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Put the fields in the order of the table; bound fields that the event does not have are
    dropped.

    Raises TypeError for other fields that are not in the table, and for missing fields.
    """
    event, entry = line["event"], EVENTS[line["event"]]
    unknown = line.keys() - entry.allowed - CONTEXT - set(HEAD)
    absent = entry.required - line.keys()
    if unknown or absent:
        raise TypeError(f"{event}: unknown fields {unknown}, absent fields {absent}")
    return {name: line[name] for name in (*HEAD, *entry.order) if name in line}


def clean(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Replace every value that cannot be written as JSON."""
    return {name: _cleaned(value) for name, value in line.items()}


def _cleaned(value: Any) -> Any:
    """`value` as strict JSON: no lone surrogates, no NaN, no infinity, no other objects."""
    match value:
        case None | bool():
            return value
        case int() if -_LARGEST <= value < _LARGEST:
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {text_of(key): _cleaned(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_cleaned(item) for item in value]
        case _:
            return text_of(value)


PROCESSORS: list[Processor] = [
    merge_contextvars,
    add_log_level,
    TimeStamper(fmt="iso"),
    keep_to_table,
    clean,
]
