"""What a backend is: the interface between the daemon and the code that makes pictures.

A backend is one class, named by an entry point of the group `nstd.backends`. Its options are
parsed in the daemon, so importing it must be fast (no torch); the work is done by `run` in a
separate worker process. `nstd.backends.registry` finds backends; `nstd help backend` shows how to
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
    """A grey picture: (height, width) float32, values in [0, 1]; black (0) is outside, white (1)
    inside."""


class Interrupted(BaseException):
    """Raised by `report` when the job is cancelled or put back; backends must not catch it.

    Not an `Exception`, so that a backend's `except Exception` does not swallow it.
    """


@dataclass(frozen=True)
class Style:
    """One style picture, its weight in the mix, and its scale relative to the content.

    `region`, with the height and width of the content, says where in the content the style
    applies; `mask`, with those of the style, says which part of the style counts. None:
    everywhere.
    """

    pixels: Pixels
    weight: float = 1.0
    scale: float = 1.0
    region: Mask | None = None
    mask: Mask | None = None


@dataclass(frozen=True)
class Earlier:
    """The result of an earlier frame of the film, moved to where this frame shows its parts.

    `pixels` has the size of the content. `certainty`, with its height and width, is 1 where the
    motion is known, and 0 where something came into view or where two motions meet; there the
    pixels mean nothing. Where styles and options have changed since, it is smaller everywhere, to
    the half at least.
    """

    pixels: Pixels
    certainty: Mask


@dataclass(frozen=True)
class Task:
    """Everything a backend needs for one job.

    The content already has the size of the result. `state` is the last checkpoint of an
    interrupted attempt, or None. `device` is a torch device string: `cpu`, `cuda:0`, `xpu:0`.
    `init`, of the content's size, is the start picture, instead of the content. `series`
    has all contents of the series of this job, none larger than the job's size.
    `cache` is a cache in which a backend may keep data for later jobs, or None.

    In a `film` the content is one of its frames, and `series` has a sample of them, the same for
    each frame; all frames should get the colours of the whole. `earlier` has the results of earlier
    frames of the same scene, the one just before this one first; it is empty in the first frame of
    a scene. Styles and options may change from frame to frame: where the weights of styles move, a
    backend that lists `earlier` gets all styles in each frame, also those of weight 0.
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
    film: bool = False
    earlier: tuple[Earlier, ...] = ()


@dataclass(frozen=True)
class Progress:
    """The progress of a job, made at every step; the worker decides how often it is passed on.

    `fraction` is the share of the expected work that is done, in [0, 1]; the ETA is computed from
    it. `state` and `picture`, if given, are called only to make a checkpoint or a preview. A
    `note` is a message for the user; it is logged at once. `device_memory` is the memory of an
    accelerator in use now, in bytes.
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
    """A finished picture, and the facts for its record.

    `network` describes the network, with `name` and `sha256`; `seconds` has the time of each
    phase; `stopped` says what ended the optimisation: `plateau`, `limit` or `budget`. Backends
    that used an accelerator set `device_name` and `device_memory` (its peak memory in bytes);
    `predicted_memory` is the predicted peak of the accelerator, or else of the process.
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

    A backend that uses more kinds of pictures lists them in a class attribute `takes`, such as
    `frozenset({"region", "mask", "init", "series"})`; sidecars with other kinds are refused. One
    that lists `earlier` gets the results of earlier frames; others make each frame for itself.
    """

    @property
    def name(self) -> str:
        """The name used in sidecars; the same as the entry point's."""
        ...

    @property
    def Options(self) -> type[BaseModel]:  # noqa: N802 - a class
        """The model of a sidecar's options; it must refuse unknown keys with `extra="forbid"`."""
        ...

    @property
    def size(self) -> int | None:
        """The longest side of the result, in pixels, if the sidecar has no size; None: no limit.

        It is an upper limit: a smaller content is enlarged only if the sidecar has a size.
        """
        ...

    def run(self, task: Task, report: Report) -> Result:
        """Make the picture, calling `report` at every step.

        One instance serves many jobs in one process, so it may keep networks loaded. Raise
        `nstd.errors.BackendError` for a failure that the user can do something about.
        """
        ...


def takes(backend: Backend) -> frozenset[str]:
    """The roles of the pictures that `backend` uses in addition to content and styles."""
    return frozenset(getattr(backend, "takes", ()))
