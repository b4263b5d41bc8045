"""How a picture was made: memory, hardware and versions, for its record."""

from __future__ import annotations

import importlib.metadata
import platform
from contextlib import suppress
from functools import cache
from pathlib import Path

from nstd import __version__
from nstd.backend import Result
from nstd.system import proc

_PACKAGES = ("torch", "torchvision", "numpy", "pillow")


def peak_memory(result: Result) -> dict[str, int]:
    """The peak memory since `proc.reset_peak`, in bytes: of this process and of the accelerator.

    Also the peak that the backend has predicted.
    """
    peak = {"process": proc.peak()}
    if result.device_memory is not None:
        peak["device"] = int(result.device_memory)
    if result.predicted_memory is not None:
        peak["predicted"] = int(result.predicted_memory)
    return peak


def device_name(result: Result) -> str:
    """The model of the accelerator that the backend used, or of the CPU."""
    return result.device_name or _cpu_model()


def versions() -> dict[str, str]:
    """The versions of nstd, Python and the packages used for pictures."""
    found = {"nstd": __version__, "python": platform.python_version()}
    return found | {name: version for name in _PACKAGES if (version := _version_of(name))}


@cache  # one look parses a whole file
def _version_of(package: str) -> str:
    """The version of an installed package, else nothing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cpu_model() -> str:
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return platform.machine()
