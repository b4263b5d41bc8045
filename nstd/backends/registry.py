"""Backends, found by the entry-point group `nstd.backends`, as are those that ship with nstd.

An installed plugin cannot harm the daemon: each is probed in a child process before it is imported
here (`nstd.backends.probe`), and an unhealthy plugin is listed with its status and the reason. Only
the backends of the distribution nstd itself are imported without a probe.
"""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, EntryPoint, distributions
from threading import Thread
from typing import cast

from nstd.backend import Backend
from nstd.backends.probe import (
    GROUP,
    PROBE_SECONDS,
    BackendStatus,
    ProbeResult,
    describe,
    judge,
    may_pass,
    probe,
)
from nstd.errors import BackendError, NstdError, nearest

__all__ = ["GROUP", "BackendStatus", "Backends", "Plugin", "load"]

_OWN = "nstd"  # its backends keep their names, whatever else is installed
_PROBES_AT_ONCE = 4
FIRST_WAIT, LONGEST_WAIT = 5.0, 600.0
"""Seconds until a backend is probed again whose trouble may pass; doubles from the first."""
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


@dataclass
class Wait:
    """For the next probe of a backend whose trouble may pass; `tries` have been made before."""

    due: float
    tries: int = 0
    is_probing: bool = False


class Backends:
    """The installed backends; each is probed once, when it is first asked for.

    With `is_patient`, as in a daemon, one whose trouble may pass is probed again beside the caller,
    after a growing wait, each time that it is asked for.
    """

    def __init__(self, probe_seconds: float = PROBE_SECONDS) -> None:
        self._seconds = probe_seconds
        self.is_patient = False
        self._found = _discover()
        self._health: dict[str, ProbeResult] = {}
        self._waits: dict[str, Wait] = {}
        self._instances: dict[str, Backend] = {}

    def names(self) -> list[str]:
        """The names of all plugins, healthy or not, sorted."""
        return sorted({plugin.name for plugin in self._found})

    def check_all(self) -> list[Plugin]:
        """Every plugin with its status, sorted by name; several are probed at the same time."""
        unknown = [plugin for plugin in self._found if self._needs_probe(plugin)]
        try:
            with ThreadPoolExecutor(_PROBES_AT_ONCE) as pool:
                found = list(pool.map(self._probe, unknown))
        except RuntimeError:  # no thread to be had: one after the other
            found = [self._probe(plugin) for plugin in unknown]
        self._health |= {plugin.name: health for plugin, health in zip(unknown, found, strict=True)}
        return [self._judged(plugin) for plugin in self._found]

    def get(self, name: str) -> Backend:
        """An instance of the backend `name`, imported here after a successful probe.

        Raises BackendError `backend_unknown` with the nearest name, or with the plugin's status
        and reason; with `is_patient`, `backend_unavailable` where that may pass.
        """
        if name not in self._instances:
            plugin = _pick(self._found, name)
            if self._needs_probe(plugin):
                self._health[name] = self._probe(plugin)
            known = self._health.get(name)
            made = known if known and known.may_pass else _make(self._judged(plugin))
            if isinstance(made, ProbeResult):
                self._health[name] = made
                if made.may_pass and self.is_patient:
                    self._probe_later(plugin)
                    raise _unhealthy(plugin, made, "backend_unavailable")
                raise _unhealthy(plugin, made)
            self._instances[name] = made
        return self._instances[name]

    def unavailable(self) -> dict[str, str]:
        """Why each backend whose trouble may pass cannot be used now, by its name."""
        return {name: health.reason for name, health in self._health.items() if health.may_pass}

    def forget_failures(self) -> None:
        """Somebody may have mended or installed something: look again at all but the healthy."""
        importlib.invalidate_caches()
        self._found, self._waits = _discover(), {}
        healthy = [n for n, health in self._health.items() if health.status is BackendStatus.OK]
        self._health = {name: self._health[name] for name in healthy}

    def _probe_later(self, plugin: Plugin) -> None:
        """Probe a backend beside the caller, if it is time."""
        now = time.monotonic()
        wait = self._waits.setdefault(plugin.name, Wait(now + FIRST_WAIT))
        if wait.is_probing or now < wait.due:
            return
        wait.is_probing = True
        with suppress(RuntimeError):  # no thread to be had: that may pass as well
            Thread(target=self._probe_again, args=(plugin, wait), daemon=True).start()
            return
        self._put_off(wait)

    def _probe_again(self, plugin: Plugin, wait: Wait) -> None:
        health = self._probe(plugin)
        self._put_off(wait)
        if not health.may_pass:
            self._waits.pop(plugin.name, None)
        self._health[plugin.name] = health

    @staticmethod
    def _put_off(wait: Wait) -> None:
        wait.tries += 1
        wait.due = time.monotonic() + min(LONGEST_WAIT, FIRST_WAIT * 2.0**wait.tries)
        wait.is_probing = False

    def _probe(self, plugin: Plugin) -> ProbeResult:
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


@contextmanager
def errors_of_backend(name: str) -> Iterator[None]:
    """Whatever code of the backend `name` raises is its own fault, and ends nothing of ours.

    Raises BackendError `backend_failed`; our own errors pass.
    """
    try:
        yield
    except NstdError:
        raise
    except BaseException as error:
        raise BackendError(
            "backend_failed",
            f"backend {name!r} raised {describe(error)}",
            "report it to whoever wrote the backend",
        ) from error


def load(name: str) -> Backend:
    """An instance of the backend `name`, imported without a probe: for worker processes.

    Raises BackendError `backend_unknown`.
    """
    plugin = _pick(_discover(), name)
    made = _make(plugin)
    if isinstance(made, ProbeResult):
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
    return sorted(_mark_duplicates(found), key=lambda plugin: (plugin.name, plugin.distribution))


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


def _mark_duplicates(found: list[Plugin]) -> Iterator[Plugin]:
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


def _make(plugin: Plugin) -> Backend | ProbeResult:
    """An instance of the backend, imported into this process; or why that failed."""
    if plugin.status is not BackendStatus.OK:
        return ProbeResult(plugin.status, plugin.reason)
    found, health = _load(plugin)
    if health.status is not BackendStatus.OK:
        return health
    try:
        return cast(type[Backend], found)()
    except BaseException as error:  # it may call sys.exit, or raise what no one expects
        return ProbeResult(BackendStatus.LOAD_ERROR, describe(error), may_pass=may_pass(error))


def _load(plugin: Plugin) -> tuple[object, ProbeResult]:
    """The object of the entry point, imported into this process, and its health."""
    try:
        found = EntryPoint(plugin.name, plugin.value, GROUP).load()
        return found, judge(plugin.name, found)
    except (Exception, SystemExit) as error:
        return None, ProbeResult(BackendStatus.LOAD_ERROR, describe(error))


def _own(plugin: Plugin) -> bool:
    return _normal(plugin.distribution) == _OWN


def _normal(name: str) -> str:
    """The normalised name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _unhealthy(plugin: Plugin, health: ProbeResult, code: str = "backend_unknown") -> BackendError:
    source = f" of {plugin.distribution} {plugin.version}".rstrip() if plugin.distribution else ""
    return BackendError(
        code,
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
