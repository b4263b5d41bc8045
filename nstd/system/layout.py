"""Every name that nstd gives to a file or folder below a root, defined once.

The files in the folders of jobs and batches are named by `JobPaths` and `BatchPaths`.
"""

from __future__ import annotations

CONFIG = "config.yaml"

# Below the inbox
CLAIMS = ".nstd"
"""The claims in flight; hidden, because it is not a folder of the user's pictures."""

# Below work
LOCK = "daemon.lock"
HEALTH = "daemon.json"
GALLERY_LOCK = "gallery.lock"
PAUSE = "pause.json"
"""There while a person has paused the starts of jobs."""
OVERRIDES = "overrides.json"
"""What people have asked about sidecars that are still in the inbox."""
NEW = ".new"
"""Job folders that are being filled or removed."""
BATCHES = ".batches"
REQUESTS = ".requests"
WORKERS = ".workers"
CACHE = ".cache"
"""Data that jobs with the same style share."""

# Below the outbox
FAILED, LOGS, ARCHIVE = "failed", "logs", "archive"
GALLERY, PAGE = "gallery", "index.html"
RESERVED = {FAILED, LOGS, ARCHIVE, GALLERY, PAGE}
"""Names at the top of the outbox that no result may have."""
STAGING = ".staging"
INNER = {"work": (NEW, BATCHES, REQUESTS), "outbox": (LOGS,)}
"""Sub-folders that are made with the root, so that no command makes them as another user."""
REASON = "reason.json"
"""In the folder of a failed job: why it failed."""
PREVIEW = "preview"
"""In the folder of a result: its small pictures for the gallery."""
LOG = "nstd.jsonl"
"""The structured log, in the folder of logs."""
