"""Notes about files in the inbox that will not become jobs as they are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from nstd.documents.model import StoredModel, Text
from nstd.errors import printable

MOST_NOTES = 50
"""The most notes that are kept; further files have no note."""


def _shown(value: object) -> object:
    return printable(value) if isinstance(value, str) else value


ShownName = Annotated[str, BeforeValidator(_shown)]
"""The name of a file as people see it: it may hold bytes that are no text."""


def _by_missing(value: object) -> object:
    """Earlier versions wrote one name, or an empty text."""
    return {} if isinstance(value, str) else value


NearestNames = Annotated[dict[ShownName, Text], BeforeValidator(_by_missing)]


class InboxNote(StoredModel):
    """One file of the inbox, and why it does not become a job."""

    name: ShownName  # relative to the inbox
    kind: Literal["waiting", "unreadable", "mistake", "unnamed", "recipe"]
    """It waits for pictures; cannot be read; looks like a mistake; a picture no sidecar names; a
    recipe that is wrong."""
    message: Text  # what happens and what to do, for a person
    missing: tuple[ShownName, ...] = ()  # the pictures it waits for, as the sidecar calls them
    nearest: NearestNames = Field(default_factory=dict)
    """The existing pictures that were probably meant, by the missing ones."""
    since: float | None = None  # seconds since the epoch
