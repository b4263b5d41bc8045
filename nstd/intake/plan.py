"""The plan of a sidecar: its values, completed by the config, the backend and the defaults."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from pydantic import Field

from nstd.backend import takes
from nstd.backends.registry import Backends, errors_of_backend
from nstd.documents.axis import Axis, check_size, name_members
from nstd.documents.backend_options import as_json, check_pictures, parse_options
from nstd.documents.config import Config
from nstd.documents.film import FilmSettings
from nstd.documents.grid import GridFile
from nstd.documents.model import Model, OutputFormat
from nstd.documents.names import NAME_BYTES
from nstd.documents.sidecar import OptionalKeys, SidecarFile
from nstd.errors import SidecarError


class EffectiveSettings(Model):
    """Every effective setting of a job.

    `enlarge` is set if the sidecar gives the `size`: a smaller content is then enlarged to it. A
    size that is the backend's default is only an upper limit.
    """

    name: str
    backend: str
    options: dict[str, Any] = Field({})
    size: int | None = None
    enlarge: bool = False
    format: OutputFormat
    priority: int
    timeout: float
    film: FilmSettings | None = Field(None, exclude_if=lambda value: value is None)


class PlannedJob(NamedTuple):
    """One job of a grid: its sidecar, its settings, and the values that differ between the jobs."""

    parsed: SidecarFile
    order: EffectiveSettings
    axes: dict[str, Any]


class Plan(NamedTuple):
    """What a sidecar file asks for: the settings of one job, or, with axes, the jobs of a batch."""

    order: EffectiveSettings
    axes: tuple[Axis, ...] = ()
    members: tuple[PlannedJob, ...] = ()

    def with_priority(self, priority: int | None) -> Plan:
        """The plan with another priority for all of its jobs, if one is given."""
        if priority is None:
            return self
        change = {"priority": priority}
        order = self.order.model_copy(update=change)
        members = (m._replace(order=m.order.model_copy(update=change)) for m in self.members)
        return self._replace(order=order, members=tuple(members))


def make_plan(sidecar: str, file: GridFile, config: Config, plugins: Backends) -> Plan:
    """The plan of the sidecar named `sidecar`.

    Raises the errors of `make_order`, and SidecarError for a grid with too many members.
    """
    plain = plain_order(sidecar, file, config)
    backend = plugins.get(plain.backend)
    with errors_of_backend(plain.backend):
        axes = file.axes(backend.Options)
    check_size(file.document.file, axes, config.jobs.grid_max)
    parts = list(file.members(axes))
    orders = _make_orders(sidecar, parts, config, plugins)
    if not axes:
        return Plan(orders[0])
    names = name_members(parts, axes, safe_name)
    recorded = itertools.product(*(axis.recorded_values for axis in axes))
    keys = [axis.key for axis in axes]
    members = (
        PlannedJob(
            part, order.model_copy(update={"name": name}), dict(zip(keys, values, strict=True))
        )
        for part, order, name, values in zip(parts, orders, names, recorded, strict=True)
    )
    return Plan(plain, axes, tuple(members))


def _make_orders(
    sidecar: str, parts: Sequence[SidecarFile], config: Config, plugins: Backends
) -> list[EffectiveSettings]:
    """The settings of each job of a grid. Raises one SidecarError with the errors of all of
    them."""
    orders, errors = [], list[SidecarError]()
    for part in parts:
        try:
            orders.append(make_order(sidecar, part, config, plugins))
        except SidecarError as error:
            errors.append(error)
    if errors:
        problems = {problem for error in errors for problem in error.problems}
        raise SidecarError.of(errors[0].code, sorted(problems), errors[0].hint)
    return orders


def make_order(
    sidecar: str, parsed: SidecarFile, config: Config, plugins: Backends
) -> EffectiveSettings:
    """The effective settings of the sidecar named `sidecar`.

    Raises BackendError for a backend that is absent or disabled, and SidecarError for options
    that the backend refuses and for pictures that it does not use.
    """
    keys = parsed.sidecar
    plain = plain_order(sidecar, parsed, config)
    backend = plugins.get(plain.backend)
    with errors_of_backend(plain.backend):
        check_pictures(parsed, plain.backend, takes(backend))
        defaults = config.backends.get(plain.backend, {})
        options = as_json(parse_options(parsed, backend.Options, defaults), parsed, defaults)
        size = keys.output.size or backend.size
        return plain.model_copy(update={"options": options, "size": size})


def plain_order(
    sidecar: str, parsed: SidecarFile | GridFile | None, config: Config
) -> EffectiveSettings:
    """The settings that do not depend on a backend; also used for a sidecar that was refused."""
    jobs = config.jobs
    order = EffectiveSettings(
        name=safe_name(PurePosixPath(sidecar).stem),
        backend=jobs.backend,
        format=jobs.format,
        priority=jobs.priority,
        timeout=jobs.timeout,
    )
    if parsed is None:
        return order
    keys: OptionalKeys = parsed.sidecar
    said = {
        "name": keys.output.name,
        "backend": keys.backend,
        "options": keys.options,
        "size": keys.output.size,
        "enlarge": keys.output.size is not None,
        "format": keys.output.format,
        "priority": keys.priority,
        "timeout": keys.timeout,
    }
    return order.model_copy(update={k: value for k, value in said.items() if value is not None})


def safe_name(stem: str) -> str:
    """A name for the outbox, made from any file name: printable, valid UTF-8, not too long."""
    text = unicodedata.normalize("NFC", stem.encode(errors="replace").decode())
    text = "".join(c if c.isprintable() else "_" for c in text)
    text = re.sub(r"[\\/]", "_", text).lstrip(".") or "unnamed"
    return text.encode()[:NAME_BYTES].decode(errors="ignore")
