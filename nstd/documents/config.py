"""The config: one YAML file beside the folders it describes, every setting with a default."""

from __future__ import annotations

import copy
import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr

from nstd.documents import diagnostics, strict_yaml
from nstd.documents.document import Document, DocumentError
from nstd.documents.model import Model
from nstd.documents.report_settings import (
    GallerySettings,
    HooksSettings,
    LogSettings,
    MetricsSettings,
    NotifySettings,
)
from nstd.documents.retention import RetentionSettings
from nstd.documents.schedule import WindowText
from nstd.documents.settings import (
    ExecutorSettings,
    FolderSettings,
    JobsSettings,
    LimitSettings,
    WatchSettings,
    WorkerSettings,
)
from nstd.errors import ConfigError, Problem, in_shell, printable
from nstd.system.layout import CONFIG

_FOLDERS = re.compile(r"^folders[ ]*:.*\n?(?:(?:[ ]+.*|[ ]*#.*|)(?:\n|\Z))*", re.MULTILINE)
"""The section with the folders, to the next line that begins at the margin."""
_DEVICE = re.compile(r"cpu|(cuda|xpu)(:(0|[1-9][0-9]{0,2}))?")


def _device(name: str) -> str:
    if not _DEVICE.fullmatch(name):
        raise ValueError("expected cpu, cuda:N or xpu:N, such as cuda:0")
    return name


def _distinct(names: list[str]) -> list[str]:
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{', '.join(sorted(repeated))} stands twice in the list")
    return names


def _listed(value: object) -> object:
    """`devices: cpu` is short for `devices: [cpu]`, and so for the hours of `schedule`."""
    return [value] if isinstance(value, str) and value != "auto" else value


Device = Annotated[str, AfterValidator(_device)]
DeviceList = Annotated[list[Device], Field(min_length=1), AfterValidator(_distinct)]


class Config(Model):
    """Every setting of the daemon."""

    folders: FolderSettings = FolderSettings()
    watch: WatchSettings = WatchSettings()
    executor: ExecutorSettings = ExecutorSettings()
    devices: Annotated[Literal["auto"] | DeviceList, BeforeValidator(_listed)] = Field(
        "auto",
        description="Where pictures are made: a list like [cuda:0, cuda:1, cpu]; xpu:0 is a GPU of "
        "Intel; auto is every GPU that torch can use, or the CPU if there is none.",
    )
    slots: dict[Device, Annotated[int, Field(ge=1, le=64)]] = Field(
        {},
        description="How many jobs run at once on a device, or on each device of a kind, like "
        "{cpu: 2, cuda: 1}; else 1, and on the CPU 1 for each NUMA node.",
    )
    schedule: Annotated[list[WindowText], BeforeValidator(_listed)] = Field(
        [],
        description="Hours in which jobs may start, by the local clock: a list like "
        "[mon-fri 19:00-07:00, sat-sun]; [] is always. What runs at the end of them goes on.",
    )
    jobs: JobsSettings = JobsSettings()
    backends: dict[str, dict[str, Any]] = Field(
        {}, description="Default options of a backend, like {gatys: {preset: fine}}."
    )
    limits: LimitSettings = LimitSettings()
    workers: WorkerSettings = WorkerSettings()
    hooks: HooksSettings = HooksSettings()
    notify: NotifySettings = NotifySettings()
    gallery: GallerySettings = GallerySettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()

    _root: Path = PrivateAttr(default=Path())

    @property
    def root(self) -> Path:
        """The folder of the config file, absolute."""
        return self._root

    @classmethod
    def at(cls, root: Path, **settings: Any) -> Config:
        """A config for `root` made from `settings`, without a file."""
        config = cls(**settings)
        config._root = root.resolve()
        return config

    def folder(self, name: str) -> Path:
        """The absolute path of the folder `name`, a field of `FolderSettings`."""
        path: Path = getattr(self.folders, name)
        return self.root / os.path.expanduser(path)  # noqa: PTH111 - the other one can raise

    @property
    def move_to(self) -> Path | None:
        """The absolute path of the folder that takes what expires, if there is one."""
        path = self.retention.move_to
        return None if path is None else self.root / os.path.expanduser(path)  # noqa: PTH111


def find_config(given: str | os.PathLike[str] | None) -> Path:
    """The path of the config file: `given`, else `$NSTD_CONFIG`, else `./config.yaml`.

    Raises ConfigError when there is none.
    """
    named = os.environ.get("NSTD_CONFIG")
    path = Path(given or named or CONFIG)
    if path.is_dir():
        path = path / CONFIG
    if path.is_file():
        return path.resolve()
    tried, origin = printable(path), ""
    if not given:
        tried = printable(path.absolute())
        origin = " (NSTD_CONFIG names it)" if named else " (neither -c nor NSTD_CONFIG names one)"
    raise ConfigError(
        "config_invalid",
        f"{tried}: no such config file{origin}",
        "make one with `nstd init ROOT`, then say `-c ROOT/config.yaml` or set NSTD_CONFIG",
    )


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """The config in the file `path`; its root is the folder of the file.

    `overrides` replace settings, by dotted key: `{"watch.mode": "poll"}`. Raises ConfigError with
    every problem of the file, each with its line and column.
    """
    try:
        with path.open("rb") as file:
            data = file.read(strict_yaml.MAX_BYTES + 1)
        return _load(data, path, overrides or {})
    except OSError as error:
        raise ConfigError(
            "config_invalid", f"{printable(path)}: {error.strerror}", "make it readable"
        ) from None
    except DocumentError as error:
        hint = (
            f"correct it: `nstd check -c {in_shell(path)} {in_shell(path)}` shows each place; "
            "`nstd init` makes a new root, whose config.yaml has every setting"
        )
        raise ConfigError.of("config_invalid", error.problems, hint) from None


def load_folders(path: Path) -> Config | None:
    """The config with the folders that the file `path` names, and defaults for all else.

    For looking at a root whose config is not valid elsewhere; None when its folders cannot be
    known.
    """
    try:
        return _load(_only_folders(path.read_bytes()), path, {})
    except (OSError, UnicodeDecodeError, DocumentError):
        return None


def _only_folders(data: bytes) -> bytes:
    """The section `folders` of a config, also of one that is no valid YAML elsewhere."""
    try:
        value = strict_yaml.read(data, CONFIG).value
    except DocumentError:
        if data.lstrip().startswith(b"{"):
            raise
        section = _FOLDERS.search(data[: strict_yaml.MAX_BYTES].decode())
        return section[0].encode() if section else b"{}"
    return json.dumps({"folders": value.get("folders")}).encode()


def _load(data: bytes, path: Path, overrides: Mapping[str, Any]) -> Config:
    document = strict_yaml.read(data, os.fspath(path))
    value = diagnostics.without_blanks(Config, document.value)
    config = diagnostics.validate(Config, value, document)
    if overrides:
        changed = _overridden(value, overrides)
        source = {tuple(key.split(".")): "command line" for key in overrides}
        config = diagnostics.validate(Config, changed, document, elsewhere=source)
    config._root = path.parent.resolve()
    if problems := sorted(_overlaps(config, document)):
        raise DocumentError(problems)
    return config


def _overridden(value: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(value)
    for dotted, setting in overrides.items():
        *parents, last = dotted.split(".")
        section = changed
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = setting
    return changed


def _overlaps(config: Config, document: Document) -> Iterator[Problem]:
    """A problem for each folder that equals another one or is inside another."""
    real = os.path.realpath  # unlike Path.resolve, it survives a loop of links
    paths = {name: Path(real(config.folder(name))) for name in FolderSettings.model_fields}
    for (first, one), (second, other) in itertools.combinations(paths.items(), 2):
        if one == other:
            message = f"{second}: the same folder as {first}"
        elif one in other.parents or other in one.parents:
            inner, outer = (second, first) if one in other.parents else (first, second)
            message = f"{inner}: lies inside {outer}; give it a folder of its own"
        else:
            continue
        said = [name for name in (second, first) if ("folders", name) in document.values]
        yield document.problem(("folders", *said[:1]), message)
    yield from _overlaps_of_retention(config, document, paths)


def _overlaps_of_retention(
    config: Config, document: Document, paths: Mapping[str, Path]
) -> Iterator[Problem]:
    """A problem for the first folder that meets the one that takes what expires."""
    if config.move_to is None:
        return
    there = Path(os.path.realpath(config.move_to))
    for name, path in paths.items():
        if there == path or there in path.parents or path in there.parents:
            message = f"move_to: lies inside {name} or contains it; give it a folder of its own"
            yield document.problem(("retention", "move_to"), message)
            return
