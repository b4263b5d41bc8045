"""What a step has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """`text` is a line for people; `figures` can be written as JSON.

    `state` is `good`, `bad` (measured, and not as it should be), `told` (measured; nothing is
    expected of it), `failed` (not measured, because of an error), `late` (not measured within the
    limit of the step) or `left` (not begun, because the time of all steps is over).
    """

    state: Literal["good", "bad", "told", "failed", "late", "left"]
    text: str
    figures: dict[str, Any] = field(default_factory=dict)


def judged(is_good: bool, text: str, figures: dict[str, Any]) -> Finding:
    """A finding that is good or bad."""
    return Finding("good" if is_good else "bad", text, figures)
