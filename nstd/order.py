"""The order: what a sidecar wishes, made effective by the config, the backend and defaults."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Any

from pydantic import Field

from nstd.backend import takes
from nstd.config import Config
from nstd.job import Model
from nstd.plugins import Plugins
from nstd.sidecar import NAME_BYTES, Format, SidecarFile, check_pictures, parse_options


class Order(Model):
    """Every effective setting of a job."""

    name: str
    backend: str
    options: dict[str, Any] = Field({})
    size: int | None = None
    format: Format
    priority: int
    timeout: float


def make_order(sidecar: str, parsed: SidecarFile, config: Config, plugins: Plugins) -> Order:
    """What the sidecar named `sidecar` asks for.

    Raises BackendError for a backend that is absent or off, SidecarError for options that it
    refuses and for pictures that it has no use for.
    """
    wish = parsed.sidecar
    plain = plain_order(sidecar, parsed, config)
    backend = plugins.get(plain.backend)
    check_pictures(parsed, plain.backend, takes(backend))
    options = parse_options(parsed, backend.Options, config.backends.get(plain.backend, {}))
    size = wish.output.size or backend.size
    return plain.model_copy(update={"options": options.model_dump(mode="json"), "size": size})


def plain_order(sidecar: str, parsed: SidecarFile | None, config: Config) -> Order:
    """The part of an order that no backend has a say in; also for what never becomes one."""
    jobs = config.jobs
    order = Order(
        name=safe_name(PurePosixPath(sidecar).stem),
        backend=jobs.backend,
        format=jobs.format,
        priority=jobs.priority,
        timeout=jobs.timeout,
    )
    if parsed is None:
        return order
    wish = parsed.sidecar
    said = {
        "name": wish.output.name,
        "backend": wish.backend,
        "options": wish.options,
        "size": wish.output.size,
        "format": wish.output.format,
        "priority": wish.priority,
        "timeout": wish.timeout,
    }
    return order.model_copy(update={k: value for k, value in said.items() if value is not None})


def safe_name(stem: str) -> str:
    """A name for the outbox made from any file name: printable, valid UTF-8, not too long."""
    text = unicodedata.normalize("NFC", stem.encode(errors="replace").decode())
    text = "".join(c if c.isprintable() else "_" for c in text)
    text = re.sub(r"[\\/]", "_", text).lstrip(".") or "unnamed"
    return text.encode()[:NAME_BYTES].decode(errors="ignore")
