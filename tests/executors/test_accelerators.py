"""Which accelerators `auto` takes: the GPUs are the kernel's files, torch is one that pretends."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import pretended
from support.executors import make_config
from support.machines import amd, intel
from support.playground import Playground

from nstd.executors import make_executor, makers, trials
from nstd.executors.devices import choose, environment, make_slots, resolve
from nstd.executors.torch_build import TorchBuild, torch_build
from nstd.executors.trials import DeviceTrial
from nstd.queue.slots import Slot

VARIABLES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
UseTorch = Callable[..., None]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without accelerators, and without nvidia-smi; nothing inherited."""
    for name in (*VARIABLES, "ZE_AFFINITY_MASK", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(makers, "SYSTEM", tmp_path / "machine")
    return tmp_path / "machine"


@pytest.fixture
def use_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UseTorch:
    """Put a torch first on the import path: one that was built for a kind, and what it does."""

    def use(kind: str, does: str = "raise SystemExit('it was imported')") -> None:
        site = tmp_path / "site"
        pretended.installed(site, kind)
        (site / "torch" / "__init__.py").write_text(does)
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, "torch", raising=False)

    return use


def test_what_torch_is_built_for_is_read_without_importing_it(use_torch: UseTorch) -> None:
    """From the file that torch's own build writes."""
    assert TorchBuild(cuda="13.0").describe() == "built for CUDA 13.0"
    use_torch("cuda")
    assert torch_build() == TorchBuild(hip="6.4.1")
    assert torch_build().describe() == "built for AMD's ROCm 6.4.1"


def test_a_torch_for_intel_is_told_by_its_versions(use_torch: UseTorch) -> None:
    """Also where they are annotated."""
    use_torch("xpu")
    assert torch_build() == TorchBuild(xpu="20250301")


@pytest.mark.parametrize("kind", ["cuda", "xpu"])
def test_without_signs_of_a_gpu_no_process_is_started(
    use_torch: UseTorch, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one for a GPU of a maker that this torch was not built for, or that is hidden."""
    monkeypatch.setattr(trials, "MODULE", "no.such.module")
    use_torch(kind)
    assert not choose("auto").trials
    here = {"cuda": lambda: intel(makers.SYSTEM, xe="0xe20b"), "xpu": lambda: amd(makers.SYSTEM, 1)}
    here[kind]()
    assert not choose("auto").trials
    {"cuda": lambda: amd(makers.SYSTEM, 1), "xpu": lambda: intel(makers.SYSTEM, xe="1")}[kind]()
    monkeypatch.setenv({"cuda": "HIP_VISIBLE_DEVICES", "xpu": "ZE_AFFINITY_MASK"}[kind], "")
    assert not choose("auto").trials
    assert resolve("auto") == ["cpu"]


@pytest.mark.parametrize(
    ("does", "problem"),
    [
        ("import os; os.kill(os.getpid(), 11)", "its trial ended with signal 11"),
        ("raise ImportError('libamdhip64.so')", "ended with 1: ImportError: libamdhip64.so"),
        ("import time; time.sleep(600)", "no answer in 3 s"),
        ("import os; print('[]', flush=True); os._exit(0)", "its trial ended with 0"),
    ],
)
def test_a_torch_that_breaks_on_a_gpu_breaks_its_own_process_alone(
    machine: Path, use_torch: UseTorch, monkeypatch: pytest.MonkeyPatch, does: str, problem: str
) -> None:
    """The CPU makes the pictures then, and the reason is told."""
    monkeypatch.setattr(trials, "_SECONDS", 3.0 if "sleep" in does else 120.0)
    amd(machine, 110000)
    use_torch("cuda", does)
    choice = choose("auto")
    assert choice.devices == ["cpu"]
    [trial] = choice.trials
    assert trial.device == "cuda:0"
    assert problem in trial.describe()


def test_a_gpu_whose_files_are_closed_is_not_tried(
    machine: Path, use_torch: UseTorch, logged: list[dict[str, Any]], tmp_path: Path
) -> None:
    """As in a service whose unit does not let it through; the log says so at the start."""
    intel(machine, xe="0xe20b")
    (machine / "dev/dri/renderD128").unlink()
    use_torch("xpu")
    executor = make_executor(make_config(tmp_path, devices="auto"), tmp_path / "scratch")
    executor.open()
    assert [slot.device for slot in executor.slots()] == ["cpu"]
    [line] = [line for line in logged if line["event"] == "device.tried"]
    refused = f"{machine}/dev/dri/renderD128 may not be used by this user"
    expected = {"level": "warning", "device": "xpu:0", "model": "xe 0xe20b", "refused": refused}
    assert expected.items() <= line.items()


@pytest.mark.parametrize(
    ("found", "refused"),
    [
        ({"error": 0.001, "seconds": 0.1, "cpu_seconds": 0.3}, ""),
        ({"error": 0.001, "seconds": 0.3, "cpu_seconds": 0.3}, "it is not faster than the CPU"),
        ({"error": 0.001, "seconds": 0.3}, ""),
        ({"error": math.inf, "problem": "it computes wrong"}, "it computes wrong"),
        ({}, "it gave no figures"),
    ],
)
def test_a_device_is_taken_if_it_is_right_and_faster(found: dict[str, Any], refused: str) -> None:
    """Both figures are told, also those of a device that is not taken."""
    trial = DeviceTrial("xpu:0", "Arc", **found)
    assert trial.refused == refused
    assert trial.fields().get("refused", "") == refused
    assert all(math.isfinite(value) for value in trial.fields().values() if type(value) is float)
    told = "xpu:0 (Arc) is taken (relative error 0.001, 0.1 s for an evaluation, the CPU 0.3 s)"
    if found.get("seconds") == 0.1:
        assert trial.describe() == told


@pytest.mark.parametrize(
    ("build", "device", "inherited", "pins"),
    [
        (TorchBuild(hip="6"), "cuda:1", {}, {"HIP_VISIBLE_DEVICES": "1"}),
        (
            TorchBuild(hip="6"),
            "cuda:1",
            {"HIP_VISIBLE_DEVICES": "5,3"},
            {"HIP_VISIBLE_DEVICES": "3"},
        ),
        (
            TorchBuild(hip="6"),
            "cuda:0",
            {"CUDA_VISIBLE_DEVICES": "4"},
            {"HIP_VISIBLE_DEVICES": "4"},
        ),
        (
            TorchBuild(hip="6"),
            "cuda:1",
            {"HIP_VISIBLE_DEVICES": "5"},
            {"HIP_VISIBLE_DEVICES": "-1"},
        ),
        (TorchBuild(hip="6"), "cpu", {}, {"HIP_VISIBLE_DEVICES": "-1", "CUDA_VISIBLE_DEVICES": ""}),
        (TorchBuild(xpu="2025"), "xpu:1", {}, {"ZE_AFFINITY_MASK": "1"}),
        (TorchBuild(xpu="2025"), "xpu:1", {"ZE_AFFINITY_MASK": "2,0"}, {"ZE_AFFINITY_MASK": "0"}),
        (TorchBuild(xpu="2025"), "cpu", {}, {"ONEAPI_DEVICE_SELECTOR": "*:cpu"}),
        (TorchBuild(cuda="13"), "cpu", {}, {"CUDA_VISIBLE_DEVICES": ""}),
    ],
)
def test_a_worker_is_pinned_by_the_variable_of_its_maker(
    monkeypatch: pytest.MonkeyPatch,
    build: TorchBuild,
    device: str,
    inherited: dict[str, str],
    pins: dict[str, str],
) -> None:
    """Within the list that the daemon itself was given."""
    for name, value in inherited.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("nstd.executors.devices.torch_build", lambda: build)
    found = environment(Slot(device, 0), [Slot(device, 0)])
    assert pins.items() <= found.items()
    ours = {"HIP_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "ONEAPI_DEVICE_SELECTOR"}
    assert ours & found.keys() == ours & pins.keys()
    if "HIP_VISIBLE_DEVICES" in pins and device != "cpu":  # HIP also heeds the other
        assert found["CUDA_VISIBLE_DEVICES"] == pins["HIP_VISIBLE_DEVICES"]


SEES = """
from pathlib import Path
from nstd.executors import makers, trials
makers.SYSTEM = Path({system!r})
trials._SECONDS = 250.0
"""
"""Every process is on a machine with these files, and has time on a busy one."""


@pytest.mark.slow
def test_a_daemon_tries_a_gpu_of_amd_and_makes_pictures_on_it(
    playground: Playground, machine: Path
) -> None:
    """As one of NVIDIA is called `cuda:0`; the CPU is made slow."""
    amd(machine, 110000)
    pretend = pretended.installed(playground.site, "cuda", cpu_pause=0.4)
    playground.sabotage(SEES.format(system=str(machine)))
    playground.configure(devices="auto")
    playground.pair("beach", backend="gatys", options={"steps": 4})
    done = playground.command("run", "--once", env=pretend)
    assert done.returncode == 0, done.stderr
    [tried] = playground.events("device.tried")
    assert (tried["device"], tried["model"]) == ("cuda:0", pretended.MODEL)
    assert tried["level"] == "info"
    assert tried["error"] < 0.02
    assert tried["seconds"] < tried["cpu_seconds"]
    [finished] = playground.events("job.finished")
    assert finished["device"] == "cuda:0"
    assert finished["peak_memory"]["device"] == 8192
    record = playground.outbox / "beach" / "beach.json"
    assert json.loads(record.read_text())["device_name"] == pretended.MODEL


def test_devices_of_intel_can_be_named() -> None:
    """`xpu` is short for the first."""
    assert resolve(["xpu", "cpu"]) == ["xpu:0", "cpu"]
    slots = make_slots(["xpu:0", "xpu:1"], {"xpu": 2})
    assert [slot.name for slot in slots] == ["xpu:0/0", "xpu:0/1", "xpu:1/0", "xpu:1/1"]
    assert os.environ.get("ZE_AFFINITY_MASK") is None
