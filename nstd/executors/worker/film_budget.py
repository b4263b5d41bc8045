"""A budget of time for a whole film, shared out among its frames."""

from __future__ import annotations

from pydantic import BaseModel

FIRST = 4.0
"""How many times as long the first frame of a scene takes, which has no earlier result."""
LEAST = 0.1
"""Seconds that each frame gets, also of a budget that is used up."""


class FilmBudget:
    """The option `budget` of a backend, in seconds, is meant for all frames together.

    With `options` that have no such option, or none set, each frame gets the options as they are.
    """

    def __init__(self, options: BaseModel, spent: float) -> None:
        """`spent` are the seconds of the frames that earlier attempts have made."""
        self._options, self._left = options, 0.0
        budget = getattr(options, "budget", None)
        self._is_set = isinstance(budget, int | float)
        if isinstance(budget, int | float):
            self._left = float(budget) - spent

    def options_of(self, *, is_first: bool, frames: int) -> BaseModel:
        """The options of the next frame, the first of a scene or not; `frames` are left with it."""
        if not self._is_set:
            return self._options
        weight = FIRST if is_first else 1.0
        share = max(LEAST, self._left * weight / (frames - 1 + weight))
        return self._options.model_copy(update={"budget": share})

    def spend(self, seconds: float) -> None:
        """A frame has taken so long."""
        self._left -= seconds
