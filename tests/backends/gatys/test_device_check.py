"""Devices that compute right or wrong: an accelerator is pretended on the CPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from support.gatys import photograph, run, task
from support.pretended import MODEL, functions, pretending

from nstd.backends.gatys import device_trial
from nstd.backends.gatys.device_check import MOST_ERROR, relative_error, require_right
from nstd.backends.gatys.device_errors import device_fault
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
        assert not relative_error("xpu:0") < MOST_ERROR
        assert device_trial.look("xpu:0")["problem"] == "it computes wrong"
        with pytest.raises(BackendError, match="xpu:0 computes wrong") as caught:
            run(task(photograph(48, 64), device="xpu:0", steps=2))
    assert caught.value.code == "device_failed"


def test_rounding_is_not_wrong() -> None:
    """That of float32 on the CPU itself, and of the precision that jobs use on it."""
    assert relative_error("cpu") < MOST_ERROR
    require_right("cpu")


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
