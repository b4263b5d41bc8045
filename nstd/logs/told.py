"""What was told and is still so: said once, and again only when it changes or comes back."""

from __future__ import annotations


class Told:
    """The news of one look after the other; what a look does not mention is forgotten."""

    def __init__(self) -> None:
        self._before: dict[str, object] = {}
        self._now: dict[str, object] = {}

    def begin(self) -> None:
        """Start a look."""
        self._before, self._now = self._now, {}

    def is_news(self, key: str, what: object) -> bool:
        """Whether `what` was not told of `key` at the last look."""
        self._now[key] = what
        return self._before.get(key) != what
