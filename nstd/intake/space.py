"""Whether there is room on the disks for another job."""

from __future__ import annotations

import shutil

from nstd.documents.config import Config
from nstd.errors import printable
from nstd.system.units import format_size


def short_of_space(config: Config) -> str:
    """Why no job should be taken in, as the disks are now; an empty string if there is room."""
    least = config.limits.min_free
    for name in ("work", "outbox"):
        path = printable(config.folder(name))
        try:
            free = shutil.disk_usage(config.folder(name)).free
        except OSError as error:
            return f"{name}, {path}, cannot be used: {error.strerror}"
        if free < least:
            return f"{name}, {path}: less than limits.min_free is free ({format_size(least)})"
    return ""
