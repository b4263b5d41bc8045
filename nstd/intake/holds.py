"""Sidecars that are not claimed for some time, mostly because their claim met an error."""

from __future__ import annotations

from typing import NamedTuple

from nstd.system.backoff import backoff

_LONGEST = 600.0
"""The longest time, in seconds, for which a sidecar is held."""


class _Hold(NamedTuple):
    until: float
    errors: int  # in a row


class Holds:
    """All times are in seconds of the monotonic clock."""

    def __init__(self, first: float) -> None:
        """`first` is the time for which a sidecar is held after its first error, in seconds."""
        self._first = first
        self._holds: dict[str, _Hold] = {}

    def add_error(self, name: str, now: float) -> None:
        """Hold the sidecar `name`, because its claim met an error; longer with each error."""
        errors = self._holds[name].errors + 1 if name in self._holds else 1
        self._holds[name] = _Hold(now + backoff(errors, self._first, _LONGEST), errors)

    def add(self, name: str, until: float) -> None:
        """Hold the sidecar `name`; nothing is wrong with it."""
        self._holds[name] = _Hold(until, 0)

    def until(self, name: str) -> float:
        """The time until which the sidecar is held; 0 if it is not held."""
        return self._holds[name].until if name in self._holds else 0.0

    def forget(self, names: set[str], hidden: tuple[str, ...]) -> None:
        """Keep only the sidecars of these names, and those in folders that are `hidden` now."""
        for gone in self._holds.keys() - names:
            if not gone.startswith(hidden):
                del self._holds[gone]
