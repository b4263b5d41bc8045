"""Which names in the inbox are ignored: hidden, temporary and partial files."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

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

_RENAMED = re.compile(r"(.+\.ya?ml)\.\w{1,5}", re.IGNORECASE)
"""`beach.yaml.txt`: an editor, or a system that hides suffixes, has added one."""
_TEXTS = {".json", ".toml", ".txt", ".rtf", ".doc", ".docx", ".odt", ".ini"}
_FILMS = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"}


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is ignored."""
    return _IGNORED.fullmatch(name) is not None


def is_sidecar(name: str) -> bool:
    """Whether a file of this name is a sidecar: `.yaml` or `.yml`, and not to be ignored."""
    return name.lower().endswith(SUFFIXES) and not is_ignored(name)


def mistake(name: str) -> str:
    """Why a file of this name will not become a job, if it looks like a mistake; else ""."""
    if match := _RENAMED.fullmatch(name):
        return f"is no sidecar, as its name does not end in .yaml: rename it to {match[1]!r}"
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _TEXTS:
        like = f"{PurePosixPath(name).stem}.yaml"
        return f"is no sidecar: a sidecar is YAML text in a file such as {like!r}"
    if suffix in _FILMS:
        return "is a film; nstd paints single pictures: export one, and name it in a sidecar"
    return ""
