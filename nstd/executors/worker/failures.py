"""Turns an error in an attempt into a failure with a code, which says whether to retry."""

from __future__ import annotations

import traceback

from pydantic import ValidationError

from nstd.documents.error_words import in_words
from nstd.errors import CODES, NstdError, clean
from nstd.queue.job import Failure
from nstd.system.primitives import is_full

_DETAIL = 4000  # characters of a traceback
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory")  # torch's words on GPU and CPU
_POISONED = ("CUDA error", "device-side assert")  # a CUDA context never recovers from these


def as_failure(error: BaseException, backend: str, *, is_ours: bool = True) -> Failure:
    """The failure of an attempt in which `error` was raised, by `backend` or on its behalf.

    With `is_ours`, an OSError is about our own files; else about those of the backend, which may
    be on another disk.
    """
    if isinstance(error, NstdError) and error.code in CODES:
        return Failure(code=error.code, message=clean(error.message), hint=clean(error.hint))
    said = in_words(error) if isinstance(error, ValidationError) else clean(error).strip()
    text = said or type(error).__name__
    code, message, hint = _judged(error, text, backend, is_ours=is_ours)
    detail = "".join(traceback.format_exception(error))[-_DETAIL:]
    return Failure(code=code, message=message, hint=hint, detail=detail)


def _judged(
    error: BaseException, text: str, backend: str, *, is_ours: bool
) -> tuple[str, str, str]:
    """Code, message and hint."""
    if isinstance(error, MemoryError) or any(words in text.lower() for words in _OUT_OF_MEMORY):
        return "out_of_memory", text, "ask for a smaller output.size"
    if any(words in text for words in _POISONED):
        return "device_failed", text, "see `nstd doctor`; `detail` has the traceback"
    if isinstance(error, OSError) and is_ours:
        return "disk_full" if is_full(error) else "io_error", text, "see `nstd doctor`"
    message = f"backend {backend!r} raised {type(error).__name__}: {text}"
    if isinstance(error, OSError):
        hint = "the disk that the backend writes to is full" if is_full(error) else ""
        return "io_error", message, hint or "the traceback is in `detail`"
    hint = "the traceback is in `detail`; report it to whoever wrote the backend"
    return "backend_failed", message, hint
