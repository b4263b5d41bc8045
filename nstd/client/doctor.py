"""`nstd doctor`: checks whether the daemon can run on this machine, and explains problems."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from nstd.backends.probe import BackendStatus
from nstd.backends.registry import Backends
from nstd.backends.weights import is_other, listing
from nstd.client.device_checks import devices
from nstd.client.disk_words import explain_disk
from nstd.client.finding import Finding, Level
from nstd.client.folder_checks import access, folders, space, watching
from nstd.client.unreadable import advice_on_unreadable, list_unreadable
from nstd.documents.config import Config
from nstd.errors import WeightsError, in_shell, printable
from nstd.queue.notices import NoticeFolder
from nstd.system.child import answer_of, python_module
from nstd.system.durable import Files
from nstd.system.layout import LOCK, NOTICES
from nstd.system.lock import holder
from nstd.system.units import format_duration

_PACKAGES = (
    "nstd",
    "torch",
    "torchvision",
    "pillow",
    "pydantic",
    "pyyaml",
    "structlog",
    "watchdog",
)
_FILM_SECONDS = 60.0
_UNSENT = 900.0
"""Seconds after which a notice should have been sent, also by one of several tries."""


def examine(config: Config) -> Iterator[Finding]:
    """All checks, one finding at a time; nothing is changed.

    The files that it writes to test the folders are removed again.
    """
    for check in _checks():
        try:
            yield from check(config)
        except OSError as error:
            what = check.__name__.removeprefix("_")
            yield Finding("fail", what, *_unseen(error, config.root))


def _unseen(error: OSError, root: Path) -> tuple[str, str]:
    """What kept a check from looking, and what to do."""
    said, hint = explain_disk(error, Path(os.fsdecode(error.filename or root)))
    if isinstance(error, PermissionError):
        hint = "run `nstd doctor` as the user that the daemon runs as"
    name = f"{printable(os.fsdecode(error.filename))}: " if error.filename else ""
    return f"cannot be looked at: {name}{said}", hint or "look at that place by hand"


def _checks() -> tuple[Callable[[Config], Iterator[Finding]], ...]:
    before = (_python, devices, folders, access, space)
    return (*before, watching, _films, _weights, _plugins, _jobs, _notices, _daemon)


def _python(_: Config) -> Iterator[Finding]:
    yield Finding("ok", "python", f"{platform.python_version()} at {sys.executable}")
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            hint = f"install it into this Python: {sys.executable} -m pip install {package}"
            yield Finding("fail", "packages", f"{package} is not installed", hint)
    yield Finding("ok", "packages", ", ".join(found))


def _films(_: Config) -> Iterator[Finding]:
    """Whether films can be read and written: only some users need that, so it is no failure."""
    answer = answer_of(python_module("nstd.images.film.extra"), _FILM_SECONDS)
    if not answer:
        message = "their packages end the process that loads them, or take too long"
        yield Finding("warn", "films", message, "install the extra `film` again")
        return
    found, problem, hint = json.loads(answer).values()
    how = f"{in_shell(sys.executable)} -m {hint}"
    if not problem:
        yield Finding("ok", "films", found)
    elif not found:
        yield Finding("ok", "films", f"films and animations need more packages: {how}")
    else:
        yield Finding("warn", "films", problem, how)


def _weights(config: Config) -> Iterator[Finding]:
    """Missing weights are only a note, because few users need them; a corrupt file is an error."""
    wanted = {options.get("network") for options in config.backends.values()}
    for name, _, found in listing(config.folder("networks")):
        if not isinstance(found, WeightsError):
            yield Finding("ok", "weights", f"{name} at {found.path}, verified")
        elif name not in wanted and is_other(name, found):
            continue  # `nstd networks` lists them
        elif found.code == "weights_missing" and name not in wanted:
            yield Finding("ok", "weights", f"{name} is not installed: {found.hint}")
        else:
            yield Finding("fail", "weights", found.message, found.hint)


def _plugins(config: Config) -> Iterator[Finding]:
    plugins = Backends().check_all()
    for plugin in plugins:
        source = f"{plugin.name} of {plugin.distribution or 'unknown'} {plugin.version}".rstrip()
        if plugin.status is BackendStatus.OK:
            yield Finding("ok", "backends", source)
        else:
            hint = "mend or uninstall that package; no job can use it meanwhile"
            level: Level = "fail" if plugin.name == config.jobs.backend else "warn"
            yield Finding(level, "backends", f"{source}: {plugin.status}: {plugin.reason}", hint)
    if not any(plugin.name == config.jobs.backend for plugin in plugins):
        message = f"jobs.backend is {config.jobs.backend}, which is not installed"
        yield Finding("fail", "backends", message, "install it, or name another in the config")


def _jobs(config: Config) -> Iterator[Finding]:
    broken = list_unreadable(config.folder("work"))
    for folder, reason in broken:
        hint = advice_on_unreadable(folder)
        yield Finding("fail", "jobs", printable(reason.splitlines()[0]), hint)
    if not broken:
        yield Finding("ok", "jobs", "all that is in work can be read")


def _notices(config: Config) -> Iterator[Finding]:
    """Whether somebody sends the notices that the daemon writes."""
    folder = NoticeFolder(config.folder("work") / NOTICES, Files())
    try:
        names, waited = folder.names(), folder.waited(time.time())
    except PermissionError:
        yield Finding("ok", "notices", "only root and the service may look at them")
        return
    if waited:
        message = f"{len(names)} wait, the first for {format_duration(round(waited))}"
        if waited > _UNSENT:
            hint = "let `nstd notify` run: `journalctl -u nstd-notify`, `nstd help service`"
            yield Finding("warn", "notices", message, hint)
        else:
            yield Finding("ok", "notices", message)
    elif config.notify.on:
        yield Finding("ok", "notices", "all are sent")


def _daemon(config: Config) -> Iterator[Finding]:
    pid = holder(config.folder("work") / LOCK)
    runs = f"runs as pid {pid}" if pid else "runs; its pid is not known"
    yield Finding("ok", "daemon", "none runs on this root" if pid is None else runs)
