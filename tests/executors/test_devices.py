"""Devices are counted by a stand-in for nvidia-smi, and pinning is seen from a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nstd.executors import visible
from nstd.executors.devices import environment, make_slots, resolve, share_of, torch_device
from nstd.queue.slots import Slot
from nstd.system.cpus import Cpus

Smi = Callable[[str], None]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing inherited about GPUs, threads or malloc."""
    for name in (
        "CUDA_VISIBLE_DEVICES",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "GOMP_SPINCOUNT",
        "GLIBC_TUNABLES",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Smi:
    """Put a program called nvidia-smi, a shell script, first on the path."""

    def install(script: str) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    return install


def test_auto_means_every_gpu(smi: Smi) -> None:
    """The CPU is left to prepare the GPUs' work."""
    smi("echo 0; echo 1; echo 2")
    assert resolve("auto") == ["cuda:0", "cuda:1", "cuda:2"]


@pytest.mark.parametrize("script", ["exit 9", "echo 'No devices were found'", "printf '\\377'"])
def test_auto_without_a_gpu_means_the_cpu(smi: Smi, script: str) -> None:
    """A driver that fails or talks nonsense is no GPU."""
    smi(script)
    assert resolve("auto") == ["cpu"]


def test_auto_without_nvidia_smi_means_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most machines have no such program."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert resolve("auto") == ["cpu"]


def test_a_stuck_driver_does_not_stop_the_daemon(smi: Smi, monkeypatch: pytest.MonkeyPatch) -> None:
    """An nvidia-smi that never answers counts as none."""
    monkeypatch.setattr(visible, "_SMI_SECONDS", 0.3)
    smi("exec sleep 600")
    start = time.monotonic()
    assert resolve("auto") == ["cpu"]
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("2,0", ["cuda:0", "cuda:1"]),
        ("1, GPU-8f3a", ["cuda:0", "cuda:1"]),
        ("MIG-4c1b", ["cuda:0"]),
        ("", ["cpu"]),
        ("-1", ["cpu"]),
        ("NoDevFiles", ["cpu"]),
        ("1,7,0", ["cuda:0"]),  # CUDA stops at the first that is not there
    ],
)
def test_auto_honours_an_inherited_list(
    smi: Smi, monkeypatch: pytest.MonkeyPatch, visible: str, expected: list[str]
) -> None:
    """CUDA_VISIBLE_DEVICES restricts the daemon as it restricts any program."""
    smi("echo 0; echo 1; echo 2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert resolve("auto") == expected


def test_named_devices_are_taken_as_they_are() -> None:
    """`cuda` is short for the first GPU, and a device that is named twice counts once."""
    assert resolve(["cuda", "cuda:0", "cpu", "cuda:3"]) == ["cuda:0", "cpu", "cuda:3"]


def test_slots_are_counted_by_device_before_kind() -> None:
    """What the config leaves unsaid is one."""
    slots = make_slots(["cuda:0", "cuda:1", "cpu"], {"cuda": 2, "cuda:1": 3})
    names = ["cuda:0/0", "cuda:0/1", "cuda:1/0", "cuda:1/1", "cuda:1/2", "cpu/0"]
    assert [slot.name for slot in slots] == names


def test_cpu_slots_share_the_cores() -> None:
    """Two workers with eight threads each would fight over eight cores."""
    slots = make_slots(["cuda:0", "cpu"], {"cpu": 3})
    found = [environment(slot, slots, Cpus.alike(8))["OMP_NUM_THREADS"] for slot in slots]
    assert found == ["2", "2", "2", "2"]
    crowd = make_slots(["cpu"], {"cpu": 4})
    assert environment(crowd[0], crowd, Cpus.alike(2))["OMP_NUM_THREADS"] == "1"


def test_a_gpu_worker_has_few_threads() -> None:
    """It only decodes and encodes."""
    slots = make_slots(["cuda:0"], {})
    assert environment(slots[0], slots, Cpus.alike(64))["OMP_NUM_THREADS"] == "4"


def test_threads_of_the_cpu_do_not_spin() -> None:
    """Where others want the cores too, spinning would take them from the work itself."""
    slots = make_slots(["cpu"], {"cpu": 2})
    assert environment(slots[1], slots, Cpus.alike(4))["GOMP_SPINCOUNT"] == "10000"


def test_a_person_s_own_settings_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the service says about threads and malloc holds for its workers."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    found = environment(Slot("cpu", 0), [Slot("cpu", 0)], Cpus.alike(2))
    assert "OMP_NUM_THREADS" not in found
    assert "MALLOC_TRIM_THRESHOLD_" not in found
    assert not any(name.endswith("NUM_THREADS") for name in found)  # torch would heed the other


def test_each_worker_sees_its_own_gpu_alone() -> None:
    """Inside its worker the one GPU is cuda:0, whichever it is outside; the CPU's sees none."""
    slots = make_slots(["cuda:0", "cuda:2", "cpu"], {})
    found = [environment(slot, slots) for slot in slots]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in found] == ["0", "2", ""]
    assert {each["CUDA_DEVICE_ORDER"] for each in found} == {"PCI_BUS_ID"}
    assert [torch_device(slot) for slot in slots] == ["cuda:0", "cuda:0", "cpu"]


@pytest.mark.parametrize(
    ("inherited", "expected"), [("5,3", "3"), ("GPU-a, GPU-b", "GPU-b"), ("5", "-1"), ("", "-1")]
)
def test_pinning_goes_through_an_inherited_list(
    monkeypatch: pytest.MonkeyPatch, inherited: str, expected: str
) -> None:
    """cuda:1 is the second of the GPUs that the daemon was given; never one that it was not."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", inherited)
    slot = Slot("cuda:1", 0)
    assert environment(slot, [slot])["CUDA_VISIBLE_DEVICES"] == expected


def test_the_environment_takes_effect_in_a_process() -> None:
    """torch under it has the threads of its slot, no GPU, and computes."""
    slots = make_slots(["cpu"], {"cpu": 2})
    code = (
        "import json, torch; x = torch.ones(1, 1, 8, 8);"
        "y = torch.nn.functional.conv2d(x, torch.ones(1, 1, 3, 3));"
        "print(json.dumps([torch.get_num_threads(), torch.cuda.device_count(), y.sum().item()]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment(slots[1], slots, Cpus.alike(2)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answer.stdout) == [1, 0, 324.0]


def test_the_cpu_has_a_slot_for_each_numa_node_unless_the_config_says_otherwise() -> None:
    """A worker whose memory is on another node waits for it."""
    nodes = tuple(frozenset(range(first, first + 8)) for first in (0, 8))
    cpus = Cpus(nodes, nodes[0] | nodes[1])
    assert [slot.name for slot in make_slots(["cpu"], {}, cpus)] == ["cpu/0", "cpu/1"]
    slots = make_slots(["cuda:0", "cpu"], {"cpu": 3}, cpus)
    assert [slot.name for slot in slots] == ["cuda:0/0", "cpu/0", "cpu/1", "cpu/2"]
    threads = [environment(slot, slots, cpus)["OMP_NUM_THREADS"] for slot in slots]
    assert threads == ["4", "4", "8", "4"]
    assert [share_of(slot, slots, cpus).cpus for slot in slots[1:]] == [*nodes, nodes[0]]
