"""What the doctor says of accelerators: the GPUs are the kernel's files, torch is a stand-in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import pretended
from support.machines import amd, intel

from nstd.client.device_checks import devices
from nstd.client.finding import Finding
from nstd.documents.config import Config
from nstd.executors import makers, trials

TORCH = """
class version: cuda, hip, xpu = {versions}
class cuda:
    is_available = staticmethod(lambda: {usable} > 0)
    device_count = staticmethod(lambda: {usable})
"""
SYSTEMCTL = """#!/bin/sh
echo 'ExecStart={{ path=/opt/nstd/bin/nstd ; argv[]=nstd run -c {root}/config.yaml ; }}'
{lines}
"""
Build = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without accelerators, nvidia-smi and systemd; nothing inherited."""
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    monkeypatch.setattr(makers, "SYSTEM", tmp_path / "machine")
    monkeypatch.setattr(trials, "MODULE", "no.such.module")
    return tmp_path / "machine"


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Put a torch first on the import path, built for AMD (`cuda`), Intel or the CPU."""
    site = tmp_path / "site"
    pretended.installed(site, "cuda")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.delitem(sys.modules, "torch", raising=False)

    def write(kind: str, usable: str = "0") -> None:
        row = pretended.VERSIONS.get(kind, "cuda: Optional[str] = None")
        (site / "torch" / "version.py").write_text(f"{row}\n")
        versions = {"cuda": "'', '6.4.1', ''", "xpu": "'', '', '20250301'"}.get(kind, "'', '', ''")
        (site / "torch" / "__init__.py").write_text(TORCH.format(versions=versions, usable=usable))

    write("cpu")
    return write


def look(tmp_path: Path, what: str = "devices", setting: str = "auto") -> list[Finding]:
    """The findings about `what`, after those of the slots."""
    found = devices(Config.at(tmp_path / "root", devices=setting))
    return [each for each in found if each.what == what and not each.message.startswith("slots")]


def test_a_machine_without_accelerators_has_nothing_to_be_told(tmp_path: Path) -> None:
    """As before."""
    assert look(tmp_path) == []
    assert look(tmp_path, "unit") == []
    [finding] = look(tmp_path, "torch")
    assert finding.message == "built for the CPU alone; it can use 0 GPUs"


def test_a_torch_for_another_maker_is_told_with_what_installs_the_right_one(
    tmp_path: Path, machine: Path, build: Build
) -> None:
    """The command can be pasted; where the config names the CPU it is no complaint."""
    amd(machine, 110000, 90010)
    [finding] = look(tmp_path)
    assert finding.level == "warn"
    assert finding.message.startswith("2 GPUs of AMD (gfx1100, gfx90a); torch cannot use")
    assert "built for the CPU alone" in finding.message
    pip = f"{sys.executable} -m pip install --force-reinstall "
    assert finding.hint == f"to use it, if PyTorch supports this model: {pip}{makers.AMD.packages}"
    assert finding.hint.endswith("--index-url https://download.pytorch.org/whl/rocm6.4")
    build("cuda", "2")
    intel(machine, xe="0xe20b")
    assert [each.level for each in look(tmp_path, setting="cpu")] == ["ok"]
    [finding] = look(tmp_path, setting="cpu")
    assert "1 GPU of Intel (xe 0xe20b)" in finding.message
    assert finding.hint.endswith(
        "torch torchvision --index-url https://download.pytorch.org/whl/xpu"
    )


def test_what_nearly_every_processor_of_intel_has_is_no_complaint(
    tmp_path: Path, machine: Path
) -> None:
    """It is named, and seldom faster."""
    intel(machine, i915="0x9a49")
    device = machine / "sys/class/drm/renderD128/device"
    place = machine / "sys/devices/0000:00:02.0"
    place.parent.mkdir()
    device.rename(place)
    device.symlink_to(place)
    [finding] = look(tmp_path)
    assert (finding.level, "(i915 0x9a49)" in finding.message) == ("ok", True)


def test_nvidia_s_gpus_with_another_torch_are_told_too(tmp_path: Path) -> None:
    """They are taken, as before, and torch cannot use them."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 0\n")
    program.chmod(0o755)
    [finding] = look(tmp_path, "torch")
    assert finding.level == "fail"
    assert "the config means 1, nvidia-smi lists 1" in finding.message
    assert finding.hint.endswith("pip install --force-reinstall torch torchvision")


def test_a_gpu_that_is_not_taken_is_told_with_its_reason(
    tmp_path: Path, machine: Path, build: Build
) -> None:
    """And what opens its files to the user, where they are closed."""
    amd(machine, 110000)
    build("cuda", "1")
    [finding] = look(tmp_path)
    assert finding.level == "warn"
    assert finding.message.startswith("cuda:0 is not taken: its trial ended with 1: ")
    (machine / "dev/kfd").unlink()
    [finding] = look(tmp_path)
    assert f"{machine}/dev/kfd may not be used by this user" in finding.message
    assert "usermod -aG render" in finding.hint
    [finding] = look(tmp_path, setting="cuda:0")
    assert finding.message == f"AMD: {machine}/dev/kfd may not be used by this user"


OPEN = ["DeviceAllow=char-nvidia rw", "DeviceAllow=/dev/kfd rw", "DeviceAllow=char-drm rw"]
GROUP = "SupplementaryGroups=render"


@pytest.mark.parametrize(
    ("kind", "lines", "level"),
    [
        ("cuda", [*OPEN, GROUP, "PrivateDevices=no"], "ok"),
        ("cuda", [*OPEN, GROUP, "PrivateDevices=yes"], "fail"),
        ("cuda", [*OPEN, "SupplementaryGroups=", "PrivateDevices=no"], "fail"),
        ("cuda", [OPEN[0], OPEN[2], GROUP, "PrivateDevices=no"], "fail"),
        ("xpu", [OPEN[2], GROUP, "PrivateDevices=no"], "ok"),
        ("xpu", [OPEN[0], GROUP, "PrivateDevices=no"], "fail"),
        ("cpu", ["PrivateDevices=yes"], None),
    ],
)
def test_the_unit_of_the_root_must_let_them_through(
    tmp_path: Path, machine: Path, build: Build, kind: str, lines: list[str], level: str | None
) -> None:
    """As systemd shows it; the hint names the drop-in of the maker."""
    amd(machine, 110000) if kind == "cuda" else intel(machine, xe="0xe20b")
    build(kind, "1")
    program = tmp_path / "bin" / "systemctl"
    echoes = "\n".join(f"echo '{line}'" for line in lines)
    program.write_text(SYSTEMCTL.format(root=tmp_path / "root", lines=echoes))
    program.chmod(0o755)
    found = look(tmp_path, "unit", setting="cpu")
    assert [finding.level for finding in found] == ([] if level is None else [level])
    if level == "fail":
        drop_in = {"cuda": "amd.conf", "xpu": "intel.conf"}[kind]
        assert f"systemd/nstd.service.d/{drop_in} -t /etc/systemd/system" in found[0].hint
    other = devices(Config.at(tmp_path / "another", devices="cpu"))
    assert not [finding for finding in other if finding.what == "unit"]
