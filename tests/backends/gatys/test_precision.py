"""What networks compute in, and that bfloat16 changes little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.gatys import VGG, install_vgg, photograph, run, task

from nstd.backends.gatys.precision import precision_for
from nstd.backends.gatys.statistic import compared


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, "bfloat16"),
        ({"amx_bf16": False, "avx512_bf16": True}, "bfloat16"),
        ({"amx_bf16": False, "avx512_f": True}, "float32"),
    ],
)
def test_bfloat16_is_for_cpus_with_units_for_it(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, bool], expected: str
) -> None:
    """And for nobody who asks for something else."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert precision_for("cpu") == expected
    assert precision_for("cpu", "float32") == "float32"
    assert precision_for("cpu", "bfloat16") == "bfloat16"


def test_a_torch_that_cannot_tell_is_taken_for_one_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The function came late."""
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert precision_for("cpu") == "float32"


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (40, 60)])
def test_sums_of_rounded_products_are_not_rounded_again(size: tuple[int, int]) -> None:
    """Only the features are in bfloat16: a thousand positions add no error."""
    generator = torch.Generator().manual_seed(0)
    features, reference = (
        torch.randn(1, 8, *size, generator=generator).to(torch.bfloat16) for _ in range(2)
    )
    found, overlap = compared(features, reference)
    expected, product = compared(features.double(), reference.double())
    assert found.second.dtype == found.mean.dtype == overlap.dtype == torch.float32
    for one, other in ((found.mean, expected.mean), (found.second, expected.second)):
        torch.testing.assert_close(one.double(), other, atol=0.01, rtol=0.005)
    assert overlap.item() == pytest.approx(product.item(), abs=0.05)


def test_the_gradient_in_bfloat16_is_that_in_float32() -> None:
    """To three digits; through all that the function gives."""
    features, reference = torch.randn(2, 1, 6, 16, 24, generator=torch.Generator().manual_seed(1))

    def gradient(dtype: torch.dtype) -> torch.Tensor:
        x = features.to(dtype).requires_grad_()
        found, overlap = compared(x, reference.to(dtype))
        loss = found.mean.square().sum() + found.second.square().sum() - overlap
        result: torch.Tensor = torch.autograd.grad(loss, x)[0].float()
        return result

    exact = gradient(torch.float32)
    error = (gradient(torch.bfloat16) - exact).norm() / exact.norm()
    assert error < 0.01


@pytest.mark.parametrize(
    "options", [{"network": "fixed"}, {"network": "student"}, {"network": "fitted"}, VGG]
)
def test_a_picture_in_bfloat16_is_like_that_in_float32(
    options: dict[str, Any], tmp_path: Path
) -> None:
    """The loss ends where it would have ended; the record tells what was used."""
    install_vgg(tmp_path)
    ends = {}
    for kind in ("float32", "bfloat16"):
        made, seen = run(task(weights=tmp_path, steps=30, precision=kind, **options))
        assert made.network is not None
        assert made.network["precision"] == kind
        assert np.isfinite(made.pixels).all()
        ends[kind] = seen[-1].losses["total"] / seen[0].losses["total"]
    assert ends["bfloat16"] == pytest.approx(ends["float32"], rel=0.1)


def test_a_flat_drawing_is_painted_too() -> None:
    """Without texture of its own, it offers a style nothing to grow from but its edges."""
    _, seen = run(task(photograph(), network="fixed", steps=40))
    assert seen[-1].losses["style"] < 0.5 * seen[0].losses["style"]
