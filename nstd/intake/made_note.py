"""The note that a picture of a recipe folder was made: one small file below `inbox/.nstd/made`."""

from __future__ import annotations

from pydantic import Field

from nstd.documents.model import StoredModel, Version
from nstd.errors import printable
from nstd.system.nofollow import Signature


class MadeNote(StoredModel):
    """The same bytes in the same folder are made once; `files` are the names that they have there.

    `job` is the job that took them, `recipe` the SHA-256 of the recipe then; `is_content` says
    whether the recipe has made them, or another job has used them, for example as a style. `gone`
    is when no file of these bytes was left, in seconds since the epoch.
    """

    folder: str
    sha256: str
    job: str
    recipe: str = ""
    is_content: bool = True
    made: float
    files: dict[str, Signature] = Field(default_factory=dict)
    gone: float | None = None
    schema_version: Version = 1


def key_of(leaf: str) -> str:
    """The name of a file in a note: it may have bytes that are no text."""
    return leaf if leaf.isprintable() else printable(leaf)


def is_same(one: Signature, other: Signature) -> bool:
    """Whether a file did not change; the number of a device can be another after each mount."""
    return one[1:] == other[1:]
