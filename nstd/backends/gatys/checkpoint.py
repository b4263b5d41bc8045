"""Checkpoints: the state of a run as bytes, bound to its inputs by a fingerprint."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nstd.backend import Task

FORMAT = 4  # raised when an older checkpoint can no longer be continued


def fingerprint(task: Task) -> str:
    """SHA-256 of all inputs that affect the result: pictures, masks, weights, scales and
    options."""
    options = task.options.model_dump_json(exclude={"tile"})
    digest = hashlib.sha256(f"{FORMAT} {task.film} {options}".encode())
    pictures: list[tuple[str, NDArray[np.float32] | None]] = [
        ("content", task.content),
        ("init", task.init),
        *(("series", picture) for picture in task.series),
    ]
    for style in task.styles:
        pictures += [
            (f"style {style.weight!r} {style.scale!r}", style.pixels),
            ("region", style.region),
            ("mask", style.mask),
        ]
    for earlier in task.earlier:
        pictures += [("earlier", earlier.pixels), ("certainty", earlier.certainty)]
    for facts, pixels in pictures:
        if pixels is not None:
            digest.update(f"{facts} {pixels.shape}".encode())
            digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def dump(state: dict[str, Any], mark: str) -> bytes:
    """`state`, of tensors and plain values, and the fingerprint `mark`, as bytes."""
    buffer = io.BytesIO()
    torch.save({"fingerprint": mark, "state": state}, buffer)
    return buffer.getvalue()


def load(data: bytes | None, mark: str, device: str) -> dict[str, Any] | None:
    """The state in `data`, its tensors on `device`; None when it is broken or of another job."""
    if data is None:
        return None
    try:
        saved = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
    except Exception:  # broken data may raise any error; the job then starts again
        return None
    if not isinstance(saved, dict) or saved.get("fingerprint") != mark:
        return None
    state: dict[str, Any] = saved["state"]
    return state
