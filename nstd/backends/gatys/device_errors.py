"""Turns device errors of torch into errors of nstd."""

from __future__ import annotations

import torch

from nstd.errors import BackendError

FULL = ("can't allocate memory", "not enough memory", "UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY")
DEVICE_BROKEN = (
    *("CUDA error", "cuDNN error", "CUDA driver error"),
    *("HIP error", "MIOpen Error", "miopenStatus"),  # AMD
    *("UR_RESULT_ERROR", "UR error", "level_zero backend failed"),  # Intel
)


def require_device(device: str) -> None:
    """Raise BackendError `device_failed` unless torch can use `device`."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise BackendError(
            "device_failed",
            f"{device} cannot be used: {_first_line(error)}",
            "see `nstd doctor`, or set `devices` in the config",
        ) from None


def device_fault(error: BaseException, device: str) -> BackendError | None:
    """The error of nstd for a fault of `device`; None when `error` is something else."""
    text = str(error)
    full = isinstance(error, torch.OutOfMemoryError | MemoryError)
    if full or any(words in text for words in FULL):
        return BackendError(
            "out_of_memory", f"{device} ran out of memory", "ask for a smaller output size"
        )
    if any(words in text for words in DEVICE_BROKEN):
        return BackendError(
            "device_failed",
            f"{device} failed: {_first_line(error)}",
            "see `nstd doctor` and the kernel log",
        )
    return None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
