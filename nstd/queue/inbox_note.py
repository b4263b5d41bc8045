"""Notes about files in the inbox that will not become jobs as they are."""

from __future__ import annotations

from typing import Literal

from nstd.documents.model import StoredModel

MOST_NOTES = 50
"""The most notes that are kept; further files have no note."""


class InboxNote(StoredModel):
    """One file of the inbox, and why it does not become a job."""

    name: str  # relative to the inbox
    kind: Literal["waiting", "unreadable", "mistake", "unnamed"]
    """It waits for pictures; cannot be read; looks like a mistake; a picture no sidecar names."""
    message: str  # what happens and what to do, for a person
    missing: tuple[str, ...] = ()  # the pictures it waits for, as the sidecar calls them
    nearest: str = ""  # the existing picture that was probably meant
    since: float | None = None  # seconds since the epoch
