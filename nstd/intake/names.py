"""Which names in the inbox are ignored: hidden, temporary and partial files."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

SUFFIXES = (".yaml", ".yml")
RECIPES = ("recipe.yaml", "recipe.yml")

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
    | (eh)?thumbs(_vista)?\.db | desktop\.ini | picasa\.ini | icon\r | __MACOSX
    | .*\.(lock|lck) | @eaDir | \#recycle | \$RECYCLE\.BIN | lost\+found
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)

_RENAMED = re.compile(r"(.+\.ya?ml)\.\w{1,5}", re.IGNORECASE)
"""`beach.yaml.txt`: an editor, or a system that hides suffixes, has added one."""
_TEXTS = {".json", ".toml", ".txt", ".rtf", ".doc", ".docx", ".odt", ".ini"}
_RAW = "3fr arw cr2 cr3 crw dng erf fff iiq kdc mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw"
_UNSUPPORTED = {f".{suffix}": "camera raw" for suffix in _RAW.split()} | {
    ".heic": "HEIC",
    ".heif": "HEIF",
    ".hif": "HEIF",
    ".jxl": "JPEG XL",
    ".psd": "a drawing of Photoshop",
    ".xcf": "a drawing of GIMP",
}
_FILMS = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"}


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is ignored."""
    return _IGNORED.fullmatch(name) is not None


def is_sidecar(name: str) -> bool:
    """Whether a file of this name is a sidecar: `.yaml` or `.yml`, no recipe, not to be ignored."""
    return name.lower().endswith(SUFFIXES) and not is_recipe(name) and not is_ignored(name)


def is_recipe(name: str) -> bool:
    """Whether a file of this name is the recipe of its folder."""
    return name.lower() in RECIPES


def unsupported(name: str) -> str:
    """What kind of picture a file of this name is, if it is of one that cannot be read; else ""."""
    return _UNSUPPORTED.get(PurePosixPath(name).suffix.lower(), "")


def is_renamed(name: str) -> bool:
    """Whether the name seems to be that of a sidecar to which a suffix was added."""
    return _RENAMED.fullmatch(name) is not None


def mistake(name: str) -> str:
    """Why a file of this name will not become a job, if it looks like a mistake; else ""."""
    if is_recipe(name):
        return "is a second recipe: a folder has one, and the other counts"
    if match := _RENAMED.fullmatch(name):
        return f"is no sidecar, as its name does not end in .yaml: rename it to {match[1]!r}"
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _TEXTS:
        like = f"{PurePosixPath(name).stem}.yaml"
        return f"is no sidecar: a sidecar is YAML text in a file such as {like!r}"
    if suffix in _FILMS:
        return "is a film; nstd paints single pictures: export one, and name it in a sidecar"
    return ""


def is_blank(data: bytes) -> bool:
    """Whether a recipe has comments alone."""
    return all(not line.strip() or line.lstrip().startswith(b"#") for line in data.splitlines())
