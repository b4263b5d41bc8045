"""The unit and its companions, judged by systemd's own tools."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from nstd.client.notify.secrets import SMTP_PASSWORD, WEBHOOK, WEBHOOK_TOKEN
from nstd.system.layout import NOTICES, REQUESTS

SYSTEMD = Path(__file__).parent.parent / "systemd"

needs_analyze = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)


def units(folder: Path, *, cpu_only: bool = False, name: str = "nstd.service") -> Path:
    """The unit in `folder`, as installed but for a program that exists here; with the drop-in?"""
    text = (SYSTEMD / name).read_text()
    unit = folder / name
    unit.write_text(text.replace("/opt/nstd/bin/nstd", str(shutil.which("true"))))
    if cpu_only:
        drop_ins = SYSTEMD / "nstd.service.d"
        (folder / "nstd.service.d").mkdir()
        shutil.copy(drop_ins / "cpu-only.conf", folder / "nstd.service.d")
    return unit


def run(*command: str | Path) -> str:
    """What the command prints on either stream; fails with it when the command fails."""
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def settings(file: Path) -> dict[str, str]:
    """The last value of each key of a unit file."""
    lines = file.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]\w*=", line))


@needs_analyze
@pytest.mark.parametrize("cpu_only", [False, True])
def test_the_unit_is_clean(tmp_path: Path, cpu_only: bool) -> None:
    """`systemd-analyze verify` has nothing to say."""
    assert run("systemd-analyze", "verify", units(tmp_path, cpu_only=cpu_only)) == ""


@needs_analyze
def test_systemd_accepts_a_ray_node_and_what_the_daemon_needs_for_it(tmp_path: Path) -> None:
    """The unit of a node, and the drop-in that gives the daemon's unit a network."""
    text = (SYSTEMD / "nstd-ray-node.service").read_text()
    node = tmp_path / "nstd-ray-node.service"
    node.write_text(text.replace("/opt/nstd/bin/ray", str(shutil.which("true"))))
    unit = units(tmp_path, cpu_only=True)
    shutil.copy(SYSTEMD / "nstd.service.d" / "ray.conf", tmp_path / "nstd.service.d")
    assert run("systemd-analyze", "verify", "--man=no", node) == ""
    assert run("systemd-analyze", "verify", "--man=no", unit) == ""
    dropped = settings(SYSTEMD / "nstd.service.d" / "ray.conf")
    assert dropped["ReadWritePaths"] == f"/run/{settings(node)['RuntimeDirectory']}"
    assert f"--temp-dir={dropped['ReadWritePaths']}" in text
    assert "dashboard" not in settings(node)["ExecStart"]  # Ray lets only the head be told
    # A folder that is made anew is read-only in the mounts of a daemon that runs: no driver starts.
    assert settings(node)["RuntimeDirectoryPreserve"] == "yes"
    assert dropped["StartLimitIntervalSec"] == "0"  # the head may come long after the daemon
    assert "AF_INET" not in settings(SYSTEMD / "nstd.service")["RestrictAddressFamilies"]


@needs_analyze
@pytest.mark.parametrize(("cpu_only", "most"), [(False, 2.0), (True, 1.0)])
def test_the_service_is_hardened(tmp_path: Path, cpu_only: bool, most: float) -> None:
    """The exposure that systemd computes, 0 to 10, stays low; lower still without a GPU."""
    if "--offline" not in run("systemd-analyze", "--help"):
        pytest.skip("this systemd-analyze cannot look at a file")
    unit = units(tmp_path, cpu_only=cpu_only)
    report = run("systemd-analyze", "security", "--offline=yes", "--no-pager", unit)
    found = re.search(r"Overall exposure level for nstd\.service: ([\d.]+)", report)
    assert found, report
    assert float(found[1]) <= most


@needs_analyze
def test_the_unit_that_sends_notices_is_clean_and_hardened(tmp_path: Path) -> None:
    """It has the network, so it has nothing else."""
    unit = units(tmp_path, name="nstd-notify.service")
    assert run("systemd-analyze", "verify", "--man=no", unit) == ""
    if "--offline" not in run("systemd-analyze", "--help"):
        pytest.skip("this systemd-analyze cannot look at a file")
    report = run("systemd-analyze", "security", "--offline=yes", "--no-pager", unit)
    found = re.search(r"Overall exposure level for nstd-notify\.service: ([\d.]+)", report)
    assert found, report
    assert float(found[1]) <= 2.0


def test_the_unit_that_sends_notices_sees_the_notices_and_a_copy_of_the_config() -> None:
    """As a user of its own: the files of nstd are not there, and its secrets are credentials."""
    notify = settings(SYSTEMD / "nstd-notify.service")
    folder = f"/srv/nstd/work/{NOTICES}"
    assert notify["TemporaryFileSystem"] == "/srv:ro"
    assert notify["BindPaths"] == folder
    assert "ReadWritePaths" not in notify
    assert notify["User"] == notify["Group"] == "nstd-notify"
    assert notify["LoadCredential"] == "config.yaml:/srv/nstd/config.yaml"
    assert "${CREDENTIALS_DIRECTORY}/config.yaml" in notify["ExecStart"]
    assert notify["ExecStart"].endswith(f"--notices {folder}")
    assert notify["RestartPreventExitStatus"].split() == ["2", "3"]
    assert "\nu nstd-notify " in (SYSTEMD / "nstd.sysusers").read_text()
    text = (SYSTEMD / "nstd-notify.service").read_text()
    for name in (SMTP_PASSWORD, WEBHOOK, WEBHOOK_TOKEN):
        assert f"# LoadCredential={name}:/etc/nstd/{name}\n" in text
    closed = settings(SYSTEMD / "nstd.service")
    keys = ("ProtectSystem", "ProtectHome", "PrivateTmp", "NoNewPrivileges", "RestrictNamespaces")
    assert all(notify[key] == closed[key] == "yes" or key == "ProtectSystem" for key in keys)
    assert notify["ProtectSystem"] == "strict"
    assert notify["CapabilityBoundingSet"] == ""
    assert closed["IPAddressDeny"] == "any", "the daemon's own unit stays closed"


def test_what_torch_needs_stays_open() -> None:
    """Each of these, closed, was seen to break torch or to make it several times slower."""
    unit = settings(SYSTEMD / "nstd.service")
    assert unit["MemoryDenyWriteExecute"] == "no"
    assert unit["ProcSubset"] == "all"
    dropped = {"MemoryDenyWriteExecute", "ProcSubset", "SystemCallFilter"}
    assert not dropped & settings(SYSTEMD / "nstd.service.d" / "cpu-only.conf").keys()
    assert "@resources" not in unit["SystemCallFilter"]


def test_the_gpu_is_reachable_unless_there_is_none() -> None:
    """PrivateDevices hides the GPU: it belongs into the drop-in alone."""
    text = (SYSTEMD / "nstd.service").read_text()
    assert "\nDeviceAllow=char-nvidia-uvm rw\n" in text
    assert "\nPrivateDevices=" not in text
    assert settings(SYSTEMD / "nstd.service.d" / "cpu-only.conf")["PrivateDevices"] == "yes"


@needs_analyze
@pytest.mark.parametrize(
    ("name", "devices"), [("amd.conf", {"/dev/kfd", "char-drm"}), ("intel.conf", {"char-drm"})]
)
def test_a_drop_in_opens_the_devices_of_another_maker_and_no_more(
    tmp_path: Path, name: str, devices: set[str]
) -> None:
    """Their files belong to the group render; kernels that are compiled go into the cache."""
    unit = units(tmp_path)
    (tmp_path / "nstd.service.d").mkdir()
    drop_in = SYSTEMD / "nstd.service.d" / name
    shutil.copy(drop_in, tmp_path / "nstd.service.d")
    found = run("systemd-analyze", "verify", "--man=no", unit)
    assert found == "" or "render" in found, found  # the group is udev's, which may be absent
    lines = [line.partition("=") for line in drop_in.read_text().splitlines()]
    allowed = {value for key, _, value in lines if key == "DeviceAllow"}
    assert allowed == {f"{device} rw" for device in devices}
    assert settings(drop_in)["SupplementaryGroups"] == "render"
    keys = {key for key, separator, _ in lines if separator and not key.startswith("#")}
    assert keys <= {"DeviceAllow", "SupplementaryGroups", "Environment"}
    for word in settings(drop_in).get("Environment", "").split():
        assert word.partition("=")[2].startswith("%C/nstd/")


def test_wrong_configs_and_second_daemons_are_not_restarted() -> None:
    """Their exit codes, 2, 3 and 4, would come again and again."""
    unit = settings(SYSTEMD / "nstd.service")
    assert unit["RestartPreventExitStatus"].split() == ["2", "3", "4"]
    assert unit["Restart"] == "on-failure"
    assert unit["KillMode"] == "mixed"
    assert int(unit["TimeoutStopSec"]) >= 60


@pytest.mark.skipif(
    os.getuid() != 0
    or not shutil.which("systemd-tmpfiles")
    or not shutil.which("systemd-sysusers"),
    reason="needs root and systemd's tools",
)
def test_people_of_the_group_can_hand_in_and_take_out(tmp_path: Path) -> None:
    """The snippets make the user and the folders; what is dropped belongs to the group."""
    (tmp_path / "etc").mkdir()
    root = f"--root={tmp_path}"
    run("systemd-sysusers", root, SYSTEMD / "nstd.sysusers")
    assert "nstd:x:" in (tmp_path / "etc" / "passwd").read_text()
    output = run("systemd-tmpfiles", root, "--create", SYSTEMD / "nstd.tmpfiles")
    base = tmp_path / "srv" / "nstd"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in base.iterdir()}
    assert modes == {
        "inbox": 0o2770,
        "styles": 0o2770,
        "outbox": 0o2770,
        "work": 0o2750,
        "networks": 0o2750,
    }, output
    assert stat.S_IMODE((base / "work" / REQUESTS).stat().st_mode) == 0o2770
    notices = (base / "work" / NOTICES).stat()
    assert stat.S_IMODE(notices.st_mode) == 0o2770
    assert notices.st_gid not in {0, base.stat().st_gid}
    dropped = base / "inbox" / "holiday"
    old = os.umask(0o077)
    try:
        dropped.mkdir()
    finally:
        os.umask(old)
    assert dropped.stat().st_gid == base.stat().st_gid != 0
    if not output:  # a filesystem without ACLs says so
        assert stat.S_IMODE(dropped.stat().st_mode) & 0o070 == 0o070
