"""Backends, found by the entry-point group `nstd.backends`, as are those that ship with nstd.

An installed plugin cannot harm the daemon: each is probed in a child process before it is imported
here (`nstd.backends.probe`), and an unhealthy plugin is listed with its status and the reason. Only
the backends of the distribution nstd itself are imported without a probe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import cast

from nstd.backend import Backend
from nstd.backends.probe import GROUP, PROBE_SECONDS, BackendStatus, Health, describe, judge, probe
from nstd.errors import BackendError, nearest

__all__ = ["GROUP", "BackendStatus", "Backends", "Plugin", "load"]

_OWN = "nstd"  # its backends keep their names, whatever else is installed
_PROBES_AT_ONCE = 4
_FIELD = re.compile(r"^(Name|Version):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Plugin:
    """One entry point of the group, and its health.

    `value` is its `module:Class`; `reason` is empty if `status` is ok; `summary` is the first line
    of the class's docstring.
    """

    name: str
    status: BackendStatus
    reason: str = ""
    distribution: str = ""
    version: str = ""
    value: str = ""
    summary: str = ""


class Backends:
    """The installed backends; each is probed at most once, at its first use."""

    def __init__(self, probe_seconds: float = PROBE_SECONDS) -> None:
        self._seconds = probe_seconds
        self._found = _discover()
        self._health: dict[str, Health] = {}
        self._instances: dict[str, Backend] = {}

    def names(self) -> list[str]:
        """The names of all plugins, healthy or not, sorted."""
        return sorted({plugin.name for plugin in self._found})

    def check_all(self) -> list[Plugin]:
        """Every plugin with its status, sorted by name; several are probed at the same time."""
        unknown = [plugin for plugin in self._found if self._needs_probe(plugin)]
        with ThreadPoolExecutor(_PROBES_AT_ONCE) as pool:
            found = pool.map(self._probe, unknown)
            self._health |= {
                plugin.name: health for plugin, health in zip(unknown, found, strict=True)
            }
        return [self._judged(plugin) for plugin in self._found]

    def get(self, name: str) -> Backend:
        """An instance of the backend `name`, imported here after a successful probe.

        Raises BackendError `backend_unknown` with the most similar name, or with the status of the
        plugin and the reason.
        """
        if name not in self._instances:
            plugin = _pick(self._found, name)
            if self._needs_probe(plugin):
                self._health[name] = self._probe(plugin)
            made = _make(self._judged(plugin))
            if isinstance(made, Health):
                self._health[name] = made  # it is not tried again
                raise _unhealthy(plugin, made)
            self._instances[name] = made
        return self._instances[name]

    def _probe(self, plugin: Plugin) -> Health:
        if _own(plugin):
            return _load(plugin)[1]
        return probe(plugin.name, plugin.value, self._seconds)

    def _needs_probe(self, plugin: Plugin) -> bool:
        return plugin.status is BackendStatus.OK and plugin.name not in self._health

    def _judged(self, plugin: Plugin) -> Plugin:
        """`plugin` with the result of its probe; at most one plugin of each name is probed."""
        health = self._health.get(plugin.name)
        if plugin.status is not BackendStatus.OK or health is None:
            return plugin
        return replace(plugin, status=health.status, reason=health.reason, summary=health.summary)


def load(name: str) -> Backend:
    """An instance of the backend `name`, imported without a probe: for worker processes.

    Raises BackendError `backend_unknown`.
    """
    plugin = _pick(_discover(), name)
    made = _make(plugin)
    if isinstance(made, Health):
        raise _unhealthy(plugin, made)
    return made


def _discover() -> list[Plugin]:
    """Every entry point of the group, sorted by name; duplicates are marked.

    If a distribution is on the import path twice, only the first counts, as for Python's own
    imports.
    """
    seen: set[str] = set()
    found: list[Plugin] = []
    for distribution in distributions():
        name, version = _identity(distribution)
        if name and _normal(name) in seen:
            continue
        seen.add(_normal(name))
        found += _entries(distribution, name, version)
    return sorted(_settle(found), key=lambda plugin: (plugin.name, plugin.distribution))


def _identity(distribution: Distribution) -> tuple[str, str]:
    """The name and version of a distribution; empty when its metadata cannot be read.

    `distribution.metadata` would parse the whole file as an e-mail: with a hundred distributions,
    that takes longer than the rest of the start of `nstd run`.
    """
    try:
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    except Exception:
        return "", ""
    fields = dict(reversed(_FIELD.findall(text)))  # the first value of each field counts
    return fields.get("Name", ""), fields.get("Version", "")


def _entries(distribution: Distribution, name: str, version: str) -> Iterator[Plugin]:
    try:
        for entry in distribution.entry_points:
            if entry.group == GROUP:
                yield Plugin(entry.name, BackendStatus.OK, "", name, version, entry.value)
    except Exception as error:
        reason = f"its entry points cannot be read: {type(error).__name__}: {error}"
        yield Plugin(name or "unknown", BackendStatus.LOAD_ERROR, reason, name, version)


def _settle(found: list[Plugin]) -> Iterator[Plugin]:
    """Mark duplicates: nstd's own plugin keeps its name; of several others with one name, none is
    used."""
    for plugin in found:
        rivals = [
            other
            for other in found
            if other is not plugin and other.name == plugin.name and other.value
        ]
        if not plugin.value or not rivals or _own(plugin):
            yield plugin
        else:
            names = ", ".join(sorted(other.distribution or "unknown" for other in rivals))
            yield replace(plugin, status=BackendStatus.DUPLICATE, reason=f"also claimed by {names}")


def _pick(found: list[Plugin], name: str) -> Plugin:
    """The plugin that has this name, else one with the reason why no plugin has it."""
    named = [plugin for plugin in found if plugin.name == name]
    if not named:
        raise _unknown(name, sorted({plugin.name for plugin in found}))
    return min(named, key=lambda plugin: plugin.status is not BackendStatus.OK)


def _make(plugin: Plugin) -> Backend | Health:
    """An instance of the backend, imported into this process; or why that failed."""
    if plugin.status is not BackendStatus.OK:
        return Health(plugin.status, plugin.reason)
    found, health = _load(plugin)
    if health.status is not BackendStatus.OK:
        return health
    try:
        return cast(type[Backend], found)()
    except (Exception, SystemExit) as error:
        return Health(BackendStatus.LOAD_ERROR, describe(error))


def _load(plugin: Plugin) -> tuple[object, Health]:
    """The object of the entry point, imported into this process, and its health."""
    try:
        found = EntryPoint(plugin.name, plugin.value, GROUP).load()
        return found, judge(plugin.name, found)
    except (Exception, SystemExit) as error:
        return None, Health(BackendStatus.LOAD_ERROR, describe(error))


def _own(plugin: Plugin) -> bool:
    return _normal(plugin.distribution) == _OWN


def _normal(name: str) -> str:
    """The normalised name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _unhealthy(plugin: Plugin, health: Health) -> BackendError:
    source = f" of {plugin.distribution} {plugin.version}".rstrip() if plugin.distribution else ""
    return BackendError(
        "backend_unknown",
        f"backend {plugin.name}{source} is not usable ({health.status}): {health.reason}",
        "mend or uninstall that package, or name another backend; `nstd backends` lists them",
    )


def _unknown(name: str, names: list[str]) -> BackendError:
    if not names:
        hint = "install nstd with pip, in a checkout too: its backends are found as installed"
        return BackendError("backend_unknown", "no backend at all is installed", hint)
    near = nearest(name, names)
    hint = f"did you mean {near}? " if near else ""
    return BackendError(
        "backend_unknown",
        f"no backend {name!r} is installed",
        f"{hint}`nstd backends` lists what is installed",
    )
