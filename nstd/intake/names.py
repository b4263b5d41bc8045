"""Which names in the inbox are ignored: hidden, temporary and partial files."""

from __future__ import annotations

import re

SUFFIXES = (".yaml", ".yml")

# Hidden files cover .DS_Store, ._resource forks, rsync's .name.XXXXXX, .syncthing.name.tmp,
# .stfolder, .nfs0000..., .goutputstream-XXXXXX, and nstd's own temporary files.
_IGNORED = re.compile(
    r"""
    \..* | ~.* | .*~ | \#.*\#                           # hidden, Office locks, backups, Emacs
    | .*\.(part|partial|crdownload|download|opdownload  # browsers
          |filepart|tmp|temp|swp|swx|bak|upload)        # WinSCP, editors
    | .*\.sb-[0-9a-f]{8}-\w{6}                          # macOS safe save
    | .*\.\w{6,}\.tmp | .*\.syncthing\..*               # Syncthing and others
    | .*[ ]\(conflicted[ ]copy.*\).* | .*\.sync-conflict-.*
    | Thumbs\.db | desktop\.ini | @eaDir | \#recycle | \$RECYCLE\.BIN | lost\+found
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is ignored."""
    return _IGNORED.fullmatch(name) is not None


def is_sidecar(name: str) -> bool:
    """Whether a file of this name is a sidecar: `.yaml` or `.yml`, and not to be ignored."""
    return name.lower().endswith(SUFFIXES) and not is_ignored(name)
