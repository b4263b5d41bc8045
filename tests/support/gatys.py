"""Small jobs for the backend `gatys`: pictures, tasks, runs, and networks that cost little."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nstd.backend import Earlier, Interrupted, Progress, Result, Style, Task
from nstd.backends.gatys import Gatys, Options, fitted
from nstd.backends.weights_registry import PREFIX, REGISTRY, RETRAINED

if TYPE_CHECKING:
    from nstd.backend import Pixels

VGG: dict[str, Any] = {
    "network": RETRAINED,
    "content_layers": ("relu2_1",),
    "style_layers": ("relu1_1", "relu2_1"),
}
"""Options for the file that `install_vgg` writes."""


def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fitted network with fewer components, so that a job takes a fraction of a second."""
    monkeypatch.setattr(fitted, "WIDTHS", (8, 12, 16, 16, 16))


def install_weights(folder: Path, state: dict[str, Tensor], name: str = RETRAINED) -> str:
    """Write `state` where the weights of `name` belong, with its note; its SHA-256."""
    path = folder / REGISTRY[name].file
    torch.save(state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".json").write_text(json.dumps({"sha256": digest}))
    return digest


def install_vgg(folder: Path) -> None:
    """Random weights of the first three convolutions of VGG-19, where its file belongs."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for index, (into, out) in {0: (3, 64), 2: (64, 64), 5: (64, 128)}.items():
        weight = torch.randn(out, into, 3, 3, generator=generator) * (2 / (9 * into)) ** 0.5
        state[f"features.{index}.weight"] = weight
        state[f"features.{index}.bias"] = torch.zeros(out)
    install_weights(folder, state)


def install_torchvision(folder: Path, name: str) -> str:
    """Random weights of the convolutions of torchvision's `name`, as in an old file; its SHA-256.

    Old files have no numbers of batches. Features stay in range from layer to layer.
    """
    from torchvision.models import get_model  # type: ignore[import-untyped]  # takes two seconds

    with torch.device("meta"):
        wanted: dict[str, Tensor] = get_model(name.removeprefix(PREFIX)).state_dict()
    generator = torch.Generator().manual_seed(0)
    state = {"classifier.0.weight": torch.zeros(2)}
    for key, value in wanted.items():
        if key.startswith("features.") and not key.endswith("num_batches_tracked"):
            noise = torch.randn(value.shape, generator=generator)
            state[key] = _in_range(key, noise)
    return install_weights(folder, state, name)


def _in_range(key: str, noise: Tensor) -> Tensor:
    """Noise as filters (He et al., 2015), or as a scale or a shift of batch normalisation."""
    if noise.dim() == 4:
        return noise * math.sqrt(2 / noise[0].numel())
    return 1 + 0.1 * noise.abs() if key.endswith(("weight", "running_var")) else 0.1 * noise


def photograph(height: int = 64, width: int = 80) -> Pixels:
    """Smooth hills under a sky."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    hills = y > 0.5 + 0.2 * np.sin(7 * x)
    layers = [0.3 + 0.4 * y, 0.5 * hills + 0.2 * x, 0.8 - 0.6 * hills]
    return np.stack(layers, 2).astype(np.float32)


def painting(height: int = 64, width: int = 64, seed: int = 0) -> Pixels:
    """Strokes of three colours."""
    rng = np.random.default_rng(seed)
    colours = rng.random((3, 3))
    y, x = np.mgrid[0:height, 0:width]
    stroke = (x + 2 * y) // 5 + y // 9
    return np.asarray(colours[stroke % 3], dtype=np.float32)


def plain(height: int, width: int, *colour: float) -> Pixels:
    """One colour, or one grey, everywhere."""
    return np.broadcast_to(np.array(colour, np.float32), (height, width, 3)).copy()


def task(
    content: Pixels | None = None,
    *styles: Style,
    state: bytes | None = None,
    device: str = "cpu",
    weights: Path = Path("none"),
    start_at: Pixels | None = None,
    series: tuple[Pixels, ...] = (),
    film: bool = False,
    earlier: tuple[Earlier, ...] = (),
    **options: Any,
) -> Task:
    """A job of the network that `narrow` makes small, short unless a budget is named."""
    short: dict[str, Any] = {"network": "fitted", "precision": "float32"}
    if "budget" not in options:
        short["steps"] = 12
    return Task(
        content=photograph() if content is None else content,
        styles=styles or (Style(painting()),),
        options=Options(**(short | options)),
        device=device,
        weights=weights,
        state=state,
        init=start_at,
        series=series,
        film=film,
        earlier=earlier,
    )


def interrupted(job: Task, stop: int) -> bytes:
    """The last checkpoint of a run that is interrupted at the report of step `stop`."""
    saved: list[bytes] = []

    def interrupt(progress: Progress) -> None:
        if progress.state is not None:
            saved[:] = [progress.state()]
        if progress.step == stop:
            raise Interrupted

    with pytest.raises(Interrupted):
        Gatys().run(job, interrupt)
    return saved[0]


def run(job: Task, backend: Gatys | None = None) -> tuple[Result, list[Progress]]:
    """The result, and every report on the way."""
    seen: list[Progress] = []
    return (backend or Gatys()).run(job, seen.append), seen
