"""Every name that nstd itself gives to a file or folder below a root, once.

What a job folder or a batch folder holds is named by `JobPaths` and `BatchPaths`.
"""

from __future__ import annotations

CONFIG = "config.yaml"

# Below the inbox
CLAIMS = ".nstd"
"""The claims in flight; hidden, so that nobody takes it for a folder of pictures."""

# Below work
LOCK = "daemon.lock"
HEALTH = "daemon.json"
GALLERY_LOCK = "gallery.lock"
NEW = ".new"
"""Job folders that are being filled or removed."""
BATCHES = ".batches"
REQUESTS = ".requests"
WORKERS = ".workers"
CACHE = ".cache"
"""What jobs of one style share."""

# Below the outbox
FAILED, LOGS, ARCHIVE = "failed", "logs", "archive"
GALLERY, PAGE = "gallery", "index.html"
RESERVED = {FAILED, LOGS, ARCHIVE, GALLERY, PAGE}
"""Names at the top that no result gets."""
STAGING = ".staging"
INNER = {"work": (NEW, BATCHES, REQUESTS), "outbox": (LOGS,)}
"""Folders that are there from the start, so that no command has to make them as another user."""
REASON = "reason.json"
"""Inside the folder of a failed job: why it failed."""
PREVIEW = "preview"
"""Inside the folder of a result: its small pictures for the gallery."""
LOG = "nstd.jsonl"
"""The structured log, inside the folder of logs."""
