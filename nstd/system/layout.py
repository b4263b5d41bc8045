"""Every name that nstd gives to a file or folder below a root, defined once.

The files in the folders of jobs and batches are named by `JobPaths` and `BatchPaths`.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TypeVar

_Path = TypeVar("_Path", bound=PurePath)

CONFIG = "config.yaml"

# Below the inbox
CLAIMS = ".nstd"
"""The claims in flight; hidden, because it is not a folder of the user's pictures."""

MADE = "made"
"""In the folder of claims: which pictures of recipe folders are made; see `Made`."""
CLAIMED_NOTES = ".made"
"""In a claim: the notes that it has taken."""
TAKEN = {"archive": ".archive", "delete": ".delete"}
"""In a claim: the folder of a picture, by what becomes of it once it is a job."""
STAGED_AGAIN = ".again-"
"""How the folder begins whose pictures come back to the folders of their recipe at once."""
FIRST_LOOK = ".folder.json"
"""Beside the notes of a recipe folder: what was in it when its recipe was seen first."""

# Below work
LOCK = "daemon.lock"
HEALTH = "daemon.json"
GALLERY_LOCK = "gallery.lock"
EXPIRY_LOCK = "expire.lock"
PAUSE = "pause.json"
"""There while a person has paused the starts of jobs."""
OVERRIDES = "overrides.json"
"""What people have asked about sidecars that are still in the inbox."""
NEW = ".new"
"""Job folders that are being filled or removed."""
BATCHES = ".batches"
REQUESTS = ".requests"
NOTICES = ".notices"
"""What people elsewhere are to be told; `nstd notify` sends it."""
WORKERS = ".workers"
CACHE = ".cache"
"""Data that jobs with the same style share."""

# Below the outbox
FAILED, LOGS, ARCHIVE = "failed", "logs", "archive"
GALLERY, PAGE = "gallery", "index.html"
RESERVED = {FAILED, LOGS, ARCHIVE, GALLERY, PAGE}
"""Names at the top of the outbox that no result may have."""
STAGING = ".staging"
EXPIRED = ".expired"
"""Results that are on their way out: each is removed, or moved elsewhere, before the next."""
INNER = {"work": (NEW, BATCHES, REQUESTS, NOTICES), "outbox": (LOGS,)}
"""Sub-folders that are made with the root, so that no command makes them as another user."""
REASON = "reason.json"
"""In the folder of a failed job: why it failed."""
PREVIEW = "preview"
"""In the folder of a result: its small pictures for the gallery."""
LOG = "nstd.jsonl"
"""The structured log, in the folder of logs."""


def without_failed(path: _Path) -> _Path:
    """A path relative to the outbox, also of a failure as that of a result: as the inbox has it."""
    return path.relative_to(FAILED) if path.parts[:1] == (FAILED,) else path
