"""The installed backends: plugins of the group `nstd.backends`, which nstd's own backends are too.

An installed plugin cannot harm the daemon: each is probed in a child process before it is imported
here (`nstd.backends.probe`), and an unhealthy plugin is listed with its status and the reason. Only
the backends of the distribution nstd itself are imported without a probe.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import cast

from nstd.backend import Backend
from nstd.backends.discovery import Plugin, discover, is_own
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
from nstd.backends.reprobe import Reprobes
from nstd.errors import BackendError, NstdError, nearest

_PROBES_AT_ONCE = 4


class Backends:
    """The installed backends; each is probed once, when it is first asked for.

    With `is_patient`, as in a daemon, a backend that cannot be used for a cause that may be
    temporary is probed again when it is asked for, in a thread and after a growing wait.
    """

    def __init__(self, probe_seconds: float = PROBE_SECONDS) -> None:
        self._seconds = probe_seconds
        self.is_patient = False
        self._found = discover()
        self._health: dict[str, ProbeResult] = {}
        self._reprobes = Reprobes(self._probe, self._keep_health)
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
        except RuntimeError:  # no thread could be started: one after the other
            found = [self._probe(plugin) for plugin in unknown]
        self._health |= {plugin.name: health for plugin, health in zip(unknown, found, strict=True)}
        return [self._judged(plugin) for plugin in self._found]

    def get(self, name: str) -> Backend:
        """An instance of the backend `name`, imported here after a successful probe.

        Raises BackendError `backend_unknown` with the nearest name, or with the plugin's status
        and reason; with `is_patient`, `backend_unavailable` if the cause may be temporary.
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
                    self._reprobes.request(plugin)
                    raise _unhealthy(plugin, made, "backend_unavailable")
                raise _unhealthy(plugin, made)
            self._instances[name] = made
        return self._instances[name]

    def unavailable(self) -> dict[str, str]:
        """The backends that cannot be used for a cause that may be temporary, and the causes."""
        return {name: health.reason for name, health in self._health.items() if health.may_pass}

    def forget_failures(self) -> None:
        """Check all but the healthy plugins again: one may have been repaired or installed."""
        importlib.invalidate_caches()
        self._found = discover()
        self._reprobes.forget()
        healthy = [n for n, health in self._health.items() if health.status is BackendStatus.OK]
        self._health = {name: self._health[name] for name in healthy}

    def _keep_health(self, plugin: Plugin, health: ProbeResult) -> None:
        self._health[plugin.name] = health

    def _probe(self, plugin: Plugin) -> ProbeResult:
        if is_own(plugin):
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
    """Turn every error that code of the backend `name` raises into BackendError `backend_failed`.

    Errors of nstd are not changed.
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
    plugin = _pick(discover(), name)
    made = _make(plugin)
    if isinstance(made, ProbeResult):
        raise _unhealthy(plugin, made)
    return made


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
