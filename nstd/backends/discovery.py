"""Finds plugins: the entry points of the group `nstd.backends` in all installed distributions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, distributions

from nstd.backends.probe import GROUP, BackendStatus

_OWN = "nstd"  # its backends keep their names, whatever else is installed
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


def discover() -> list[Plugin]:
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
    header, _, _ = text.partition("\n\n")  # the description below it may be long
    fields = dict(reversed(_FIELD.findall(header)))  # the first value of each field counts
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
        if not plugin.value or not rivals or is_own(plugin):
            yield plugin
        else:
            names = ", ".join(sorted(other.distribution or "unknown" for other in rivals))
            yield replace(plugin, status=BackendStatus.DUPLICATE, reason=f"also claimed by {names}")


def is_own(plugin: Plugin) -> bool:
    """Whether the plugin belongs to the distribution nstd itself."""
    return _normal(plugin.distribution) == _OWN


def _normal(name: str) -> str:
    """The normalised name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
