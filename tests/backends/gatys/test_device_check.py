"""Devices that compute right or wrong: an accelerator is pretended on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from support.gatys import photograph, run, task
from support.pretended import MODEL, functions, pretending
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from nstd.backends.gatys import device_check, device_trial
from nstd.backends.gatys.device_check import MOST_ERROR, relative_error, require_right
from nstd.backends.gatys.device_errors import device_fault
from nstd.backends.gatys.network_protocol import Network
from nstd.backends.gatys.precision import precision_for
from nstd.errors import BackendError


@pytest.fixture(autouse=True)
def xpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What torch says of an accelerator of Intel, though its tensors need `pretending` too."""
    monkeypatch.delenv("ZE_AFFINITY_MASK", raising=False)
    for name, function in functions("xpu", 1).items():
        monkeypatch.setattr(torch.xpu, name, function)
    require_right.cache_clear()
    yield
    require_right.cache_clear()


def test_a_job_runs_on_another_maker_s_accelerator() -> None:
    """Its memory and its model are told by torch's module for that kind."""
    with pretending("xpu"):
        result, seen = run(task(photograph(48, 64), device="xpu:0", steps=2))
    assert result.device_name == MODEL
    assert result.device_memory == 8192
    held = seen[-1].device_memory
    assert held is not None
    assert held() == 4096
    assert precision_for("xpu:0") == "float32"


@pytest.mark.parametrize("wrong", [0.05, float("nan")])
def test_a_device_that_computes_wrong_is_refused(wrong: float) -> None:
    """Before any work is done: its pictures would look like pictures."""
    with pretending("xpu", wrong=wrong):
        assert device_trial.look("xpu:0")["problem"] == "it computes wrong"
        with pytest.raises(BackendError, match="xpu:0 computes wrong") as caught:
            run(task(photograph(48, 64), device="xpu:0", steps=2))
    assert caught.value.code == "device_failed"


class Rounding(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's has no types
    """Rounds what convolutions and products read to TF32, as NVIDIA's do by default."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in {"convolution", "_convolution_pointwise", "mm", "bmm"}:
            args = tuple(map(_as_tf32, args))
        return func(*args, **kwargs or {})


def _as_tf32(value: Any) -> Any:
    """With ten bits after the point, of 23."""
    if not isinstance(value, torch.Tensor) or value.dtype != torch.float32:
        return value
    bits = value.contiguous().view(torch.int32) + 2**12
    return ((bits >> 13) << 13).view(torch.float32)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_rounding_is_not_wrong(monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    """That of any precision that jobs use; a device that rounds as usual must not be refused."""
    monkeypatch.setattr(device_check, "precision_for", lambda _: precision)
    assert relative_error("cpu") < MOST_ERROR / 2
    with Rounding():  # type: ignore[no-untyped-call]
        assert 1e-4 < relative_error("cpu") < MOST_ERROR / 2
    require_right("cpu")


def test_a_gradient_that_is_wrong_in_a_corner_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a kernel which fails for a few positions; the loss alone would not show it."""

    def broken(network: Network, picture: Tensor) -> tuple[float, Tensor]:
        loss, gradient = evaluate(network, picture)
        if gradient.dtype == torch.float32:
            gradient[..., :16, :16] = 0
        return loss, gradient

    evaluate = device_check._evaluate
    monkeypatch.setattr(device_check, "_evaluate", broken)
    assert not relative_error("cpu") < MOST_ERROR


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory"),
        (RuntimeError("CUDA error: unspecified launch failure"), "device_failed"),
    ],
)
def test_a_fault_during_the_check_is_one_of_the_device(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    """Not of the backend: the job is tried again, and the device looked at again."""

    def fail(device: str) -> float:
        raise error

    monkeypatch.setattr(device_check, "relative_error", fail)
    with pytest.raises(BackendError) as caught:
        require_right("xpu:0")
    assert caught.value.code == code
    monkeypatch.setattr(device_check, "relative_error", lambda _: 0.001)
    require_right("xpu:0")


def test_a_device_that_is_not_there_is_told_by_its_trial() -> None:
    """In the words of torch."""
    with pretending("xpu", number=0):
        problem = device_trial.look("xpu:0")["problem"]
    assert "xpu:0 cannot be used: xpu:0: no such device" in str(problem)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("HIP error: an illegal memory access was encountered", "device_failed"),
        ("miopenStatusUnknownError", "device_failed"),
        ("level_zero backend failed with error: 20 (UR_RESULT_ERROR_DEVICE_LOST)", "device_failed"),
        ("error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)", "out_of_memory"),
    ],
)
def test_faults_of_other_makers_are_faults_of_the_device(text: str, code: str) -> None:
    """As their libraries word them."""
    fault = device_fault(RuntimeError(text), "xpu:0")
    assert fault is not None
    assert fault.code == code
