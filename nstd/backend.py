"""What a backend is: the seam between the daemon and every way of making a picture.

A backend is one class, named by an entry point of the group `nstd.backends`. Its options are
parsed in the daemon, so importing it must stay light (no torch); the work is done by `run` in a
worker process of its own. `nstd.backends.registry` finds backends; `nstd help backend` shows how to
write one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nstd.system.disk_cache import DiskCache

    Pixels = NDArray[np.float32]
    """A picture: (height, width, 3) float32, sRGB, values in [0, 1]."""
    Mask = NDArray[np.float32]
    """A grey picture: (height, width) float32, values in [0, 1]; black (0) is out, white (1) in."""


class Interrupted(BaseException):
    """Raised by `report` when the job is cancelled or put back; backends let it pass.

    Not an `Exception`, so that a backend's `except Exception` does not swallow it.
    """


@dataclass(frozen=True)
class Style:
    """One style picture with its share of the mix and its scale relative to the content.

    `region`, of the content's height and width, says where in the content the style applies;
    `mask`, of the style's, which part of the style counts. None: everywhere.
    """

    pixels: Pixels
    weight: float = 1.0
    scale: float = 1.0
    region: Mask | None = None
    mask: Mask | None = None


@dataclass(frozen=True)
class Task:
    """Everything a backend needs for one job.

    The content already has the size of the result. `state` is what the last checkpoint of an
    interrupted attempt saved, or None. `device` is a torch device string: `cpu`, `cuda:0`.
    `init`, of the content's size, is where the work starts instead of at the content. `series`
    holds all contents of the series that this one belongs to, none larger than the job's size.
    `cache` is where a backend may keep what a later job can use, if that is wanted.
    """

    content: Pixels
    styles: tuple[Style, ...]
    options: Any
    device: str
    weights: Path
    state: bytes | None = None
    init: Pixels | None = None
    series: tuple[Pixels, ...] = ()
    cache: DiskCache | None = None


@dataclass(frozen=True)
class Progress:
    """How far a job is. Made at every step; the worker decides how often it is passed on.

    `fraction` is the share of the expected work that is done, in [0, 1]; the ETA follows from
    it. `state` and `picture`, where given, are called only when a checkpoint or a preview is due.
    A `note` is something that a person should know; it is logged at once. `device_memory` says how
    many bytes are held of an accelerator now.
    """

    step: int
    steps: int
    fraction: float
    level: int = 1
    levels: int = 1
    losses: Mapping[str, float] = field(default_factory=dict)
    state: Callable[[], bytes] | None = None
    picture: Callable[[], Pixels] | None = None
    note: str = ""
    device_memory: Callable[[], int] | None = None


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Result:
    """A finished picture, and what the record should say about how it was made.

    `network` says what was used, with `name` and `sha256`; `seconds` are the phases it timed;
    `stopped` says what ended the optimisation: `plateau`, `limit` or `budget`. `device_name` and
    `device_memory` (the most bytes held on it) are given by backends that used an accelerator;
    `predicted_memory` is what a backend expected of it, or else of the process.
    """

    pixels: Pixels
    network: Mapping[str, Any] | None = None
    seed: int | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    stopped: str | None = None
    device_name: str | None = None
    device_memory: int | None = None
    predicted_memory: int | None = None


class Backend(Protocol):
    """One way of making a picture from a content picture and style pictures.

    One that uses more pictures than these says which in a class attribute `takes`, such as
    `frozenset({"region", "mask", "init", "series"})`; sidecars that name others are refused.
    """

    @property
    def name(self) -> str:
        """The name sidecars use; the same as the entry point's."""
        ...

    @property
    def Options(self) -> type[BaseModel]:  # noqa: N802 - a class
        """The options of a sidecar; refuse unknown keys with `extra="forbid"`."""
        ...

    @property
    def size(self) -> int | None:
        """Longest side of the result where the sidecar says none; None: the content's.

        In pixels; a smaller content stays as it is. Only a sidecar has it enlarged.
        """
        ...

    def run(self, task: Task, report: Report) -> Result:
        """Make the picture, calling `report` at every step.

        One instance serves many jobs in one process, so it may keep networks warm. Raise
        `nstd.errors.BackendError` for a failure a person can act on.
        """
        ...


def takes(backend: Backend) -> frozenset[str]:
    """The roles of the pictures that `backend` uses beside content and styles."""
    return frozenset(getattr(backend, "takes", ()))
