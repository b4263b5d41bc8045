"""What lies in the inbox and will not become a job as it is, for the parts that show it."""

from __future__ import annotations

from typing import Literal

from nstd.documents.model import StoredModel

MOST_NOTES = 50
"""So many are handed on; of the others there is no more than the count of sidecars."""


class InboxNote(StoredModel):
    """One file of the inbox, and why it is not taken in."""

    name: str  # relative to the inbox
    kind: Literal["waiting", "unreadable", "mistake", "unnamed"]
    """It waits for pictures; cannot be read; looks like a mistake; a picture no sidecar names."""
    message: str  # what happens and what to do, for a person
    missing: tuple[str, ...] = ()  # the pictures it waits for, as the sidecar calls them
    nearest: str = ""  # the name of what is there that was probably meant
    since: float | None = None  # seconds since the epoch
