"""Checks the reports and the result of a backend before they are used: plug-ins have bugs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nstd.backend import Progress, Result
from nstd.errors import BackendError, clean

FAR = 0.5
"""How far values may be outside [0, 1] and are clipped; values farther outside are a bug."""
_ROUNDING = 1e-6
_NUMBERS = ("seed", "device_memory", "predicted_memory")
"""Facts of a result that are numbers, or None."""


def check_result(result: object, shape: tuple[int, ...], backend: str) -> None:
    """Raise BackendError `backend_failed` unless `result` is a Result with valid pixels and facts.

    `shape` is that of the content: (height, width, 3).
    """
    if not isinstance(result, Result):
        raise _refused(backend, f"returned a {_type(result)}, not a nstd.backend.Result")
    if wrong := _wrong_pixels(result.pixels, shape) or _wrong_facts(result):
        raise _refused(backend, f"returned {wrong}")


def check_preview(pixels: Any, backend: str) -> None:
    """The same for the picture of a Progress, which may be of another size."""
    shape: tuple[int, ...] = pixels.shape if isinstance(pixels, np.ndarray) else (0, 0, 3)
    if len(shape) != 3 or shape[2] != 3:
        raise _refused(backend, f"reported a picture of shape {shape}, not (height, width, 3)")
    if wrong := _wrong_pixels(pixels, shape):
        raise _refused(backend, f"reported a picture with {wrong}")


def check_state(state: object, backend: str) -> bytes:
    """The checkpoint of a Progress. Raises the same error if it is not bytes."""
    if isinstance(state, bytes | bytearray | memoryview):
        return bytes(state)
    raise _refused(backend, f"reported a state that is a {_type(state)}, not bytes")


def checked(progress: object, backend: str) -> Progress:
    """A report of a backend, whose memory is checked too when it is asked for.

    Raises BackendError `backend_failed` for one that does not follow nstd.backend.Progress, or
    whose numbers contradict each other.
    """
    if not isinstance(progress, Progress):
        raise _refused(backend, f"reported a {_type(progress)}, not a nstd.backend.Progress")
    if wrong := _wrong_kind(progress) or _wrong_numbers(progress):
        raise _refused(backend, f"reported {wrong}")
    if (held := progress.device_memory) is None:
        return progress
    return replace(progress, device_memory=lambda: _memory(held(), backend))


def _wrong_kind(progress: Progress) -> str:
    """Which value of a report is of a wrong kind; an empty string if none is."""
    for name in ("step", "steps", "level", "levels", "fraction"):
        if _number(value := getattr(progress, name)) is None:
            return f"{name} as a {_type(value)}, not a number"
    for name in ("state", "picture", "device_memory"):
        value = getattr(progress, name)
        if value is not None and not callable(value):
            return f"{name} as a {_type(value)}, not a function that returns it"
    if not isinstance(progress.losses, Mapping):
        return f"losses as a {_type(progress.losses)}, not a mapping of names to numbers"
    for name, value in progress.losses.items():
        if _number(value) is None:
            return f"the loss {clean(name)!r} as a {_type(value)}, not a number"
    if not isinstance(progress.note, str):
        return f"a note that is a {_type(progress.note)}, not text"
    return ""


def _wrong_numbers(progress: Progress) -> str:
    """Which numbers of a report contradict each other; an empty string if none do."""
    if not 0 <= progress.step <= progress.steps < math.inf:
        return f"step {progress.step} of {progress.steps}"
    if not 1 <= progress.level <= progress.levels < math.inf:
        return f"level {progress.level} of {progress.levels}"
    fraction = float(progress.fraction)
    if not (math.isfinite(fraction) and -_ROUNDING <= fraction <= 1 + _ROUNDING):
        return f"that {fraction:g} of the work is done, which is not in [0, 1]"
    return ""


def _memory(held: object, backend: str) -> int:
    """The memory of an accelerator that a backend reports, in bytes."""
    number = _number(held)
    if number is None or not math.isfinite(number):
        raise _refused(backend, f"reported a device_memory that is a {_type(held)}, not bytes")
    return int(number)


def _wrong_facts(result: Result) -> str:
    """Which fact for the record is of a wrong kind; an empty string if none is."""
    if not isinstance(result.network, Mapping | None):
        return f"a network that is a {_type(result.network)}, not a mapping"
    if not isinstance(result.seconds, Mapping):
        return f"seconds that are a {_type(result.seconds)}, not a mapping of names to numbers"
    numbers = {name: getattr(result, name) for name in _NUMBERS} | dict(result.seconds)
    for name, value in numbers.items():
        number = 0.0 if value is None and name in _NUMBERS else _number(value)
        if number is None or not math.isfinite(number):
            return f"{clean(name)} that is {_type(value)} {clean(value)[:40]!r}, not a number"
    for name in ("stopped", "device_name"):
        if not isinstance(value := getattr(result, name), str | None):
            return f"a {name} that is a {_type(value)}, not text"
    return ""


def _wrong_pixels(pixels: Any, shape: tuple[int, ...]) -> str:
    """What is wrong with `pixels`; an empty string if nothing is."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype.kind != "f":
        said = getattr(pixels, "dtype", _type(pixels))
        return f"pixels of {said}, not an array of float32 in [0, 1]"
    if pixels.shape != shape or not pixels.size:
        return f"pixels of shape {pixels.shape}, not the content's {shape}"
    lowest, highest = float(pixels.min()), float(pixels.max())
    if not math.isfinite(lowest + highest):
        return "pixels that are NaN or infinite"
    if lowest < -FAR or highest > 1 + FAR:
        return f"pixels from {lowest:g} to {highest:g}, not in [0, 1]"
    return ""


def _number(value: object) -> float | None:
    """`value` as a float; it may be of numpy, or a tensor with one element. None for all else."""
    if isinstance(value, str | bytes | bytearray) or getattr(value, "ndim", None):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except Exception:  # numpy, torch and others raise errors of many types
        return None


def _type(value: object) -> str:
    return type(value).__name__


def _refused(backend: str, what: str) -> BackendError:
    hint = "report it to whoever wrote the backend; `nstd help backend` is the contract"
    return BackendError("backend_failed", f"backend {backend!r} {what}", hint)
