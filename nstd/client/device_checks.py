"""The doctor's look at devices: what is there, what torch can use, what the unit lets through."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nstd.client.finding import Finding, Level
from nstd.documents.config import Config
from nstd.errors import ClusterError, in_shell
from nstd.executors import make_executor
from nstd.executors.devices import CLOSED, choose, make_slots, why_closed
from nstd.executors.makers import MAKERS, NVIDIA_PACKAGES, Maker
from nstd.executors.torch_build import TorchBuild, torch_build
from nstd.executors.visible import visible_gpus
from nstd.system.child import answer_of
from nstd.system.cpus import Cpus
from nstd.system.units import counted

_TORCH_SECONDS = 60.0
_TORCH = """
import json, torch
def usable(kind):
    module = getattr(torch, kind, None)
    return module.device_count() if module and module.is_available() else 0
builds = {name: getattr(torch.version, name, None) or "" for name in ("cuda", "hip", "xpu")}
print("\\n" + json.dumps([{kind: usable(kind) for kind in ("cuda", "xpu")}, builds]))
"""
_RENDER = "put the user into the group of these files: `sudo usermod -aG render nstd`"
_UNIT = "nstd.service"
_UNIT_SECONDS = 10.0
_PROPERTIES = ("ExecStart", "DeviceAllow", "PrivateDevices", "SupplementaryGroups")


def devices(config: Config) -> Iterator[Finding]:
    """The slots, the trials of accelerators, and torch; or the cluster."""
    if config.executor.kind == "ray":
        yield from _cluster(config)
        return
    choice = choose(config.devices)
    names = ", ".join(slot.name for slot in make_slots(choice.devices, config.slots))
    yield Finding("ok", "devices", f"slots {names}; {Cpus.usable().describe()}")
    for trial in choice.trials:
        hint = _RENDER if trial.problem.endswith(CLOSED) else ""
        yield Finding("warn" if trial.refused else "ok", "devices", trial.describe(), hint)
    asked = Counter(device.partition(":")[0] for device in choice.devices if device != "cpu")
    yield _torch(asked, len(visible_gpus()))
    build, is_idle = torch_build(), config.devices == "auto" and not asked
    for maker in MAKERS:
        if maker.gpus_here():
            yield from _other(maker, build, is_idle=is_idle)
            if not choice.trials:
                yield from _closed(maker, build)
            yield from _unit(maker, build, config.root)


def pip_line(packages: str) -> str:
    """The command that replaces torch by one of other `packages`."""
    return f"{in_shell(sys.executable)} -m pip install --force-reinstall {packages}"


def _other(maker: Maker, build: TorchBuild, *, is_idle: bool) -> Iterator[Finding]:
    """GPUs of `maker` that this torch was not built for: they stay idle."""
    if maker.fits(build):
        return
    gpus = maker.gpus_here()
    models = ", ".join(gpu.model for gpu in gpus)
    message = f"{counted(len(gpus), 'GPU')} of {maker.name} ({models})"
    message += f"; torch cannot use it: it is {build.describe()}"
    is_card = any(not gpu.is_integrated for gpu in gpus)
    level: Level = "warn" if is_idle and is_card else "ok"
    hint = f"to use it, if PyTorch supports this model: {pip_line(maker.packages)}"
    yield Finding(level, "devices", message, hint)


def _closed(maker: Maker, build: TorchBuild) -> Iterator[Finding]:
    """Device files that are closed to this user, of a GPU that torch could use."""
    closed = [gpu for gpu in maker.gpus_here() if gpu.closed]
    if closed and maker.fits(build):
        yield Finding("warn", "devices", f"{maker.name}: {why_closed(closed[0])}", _RENDER)


def _unit(maker: Maker, build: TorchBuild, root: Path) -> Iterator[Finding]:
    """Whether the unit that serves `root` lets the GPUs of `maker` through."""
    unit = _unit_properties() if maker.fits(build) else {}
    if str(root) not in unit.get("ExecStart", ""):
        return
    wanted = {"/dev/kfd", "char-drm"} if maker.drop_in == "amd.conf" else {"char-drm"}
    allowed = {word for line in unit["DeviceAllow"].splitlines() for word in line.split()[:1]}
    is_in_group = "render" in unit["SupplementaryGroups"].split()
    if wanted <= allowed and unit["PrivateDevices"] != "yes" and is_in_group:
        yield Finding("ok", "unit", f"{_UNIT} lets the GPUs of {maker.name} through")
        return
    place = f"/etc/systemd/system/{_UNIT}.d"
    hint = (
        f"sudo install -Dm 644 systemd/{_UNIT}.d/{maker.drop_in} -t {place}; "
        f"sudo rm -f {place}/cpu-only.conf; sudo systemctl daemon-reload"
    )
    yield Finding("fail", "unit", f"{_UNIT} lets no GPU of {maker.name} through", hint)


def _unit_properties() -> dict[str, str]:
    """What systemd says about the unit; empty without systemd or the unit. Lists have lines."""
    answer = answer_of(
        ["systemctl", "show", _UNIT, f"--property={','.join(_PROPERTIES)}"], _UNIT_SECONDS
    )
    if not answer:
        return {}
    found = dict.fromkeys(_PROPERTIES, "")
    for line in answer.splitlines():
        name, _, value = line.partition("=")
        found[name] = f"{found.get(name, '')}{value}\n"
    return {name: value.strip() for name, value in found.items()}


def _cluster(config: Config) -> Iterator[Finding]:
    """Whether the Ray cluster answers and has room for a job."""
    with tempfile.TemporaryDirectory(prefix="nstd-doctor-") as scratch:
        executor = make_executor(config, Path(scratch))
        try:
            executor.open()
        except ClusterError as error:
            yield Finding("fail", "cluster", error.message, error.hint)
            return
        finally:
            executor.close()
        names = ", ".join(slot.name for slot in executor.slots())
    if reason := executor.why_no_slots():
        hint = "add such a node, or ask for less in the section `executor` of the config"
        yield Finding("warn", "cluster", reason, hint)
    else:
        yield Finding("ok", "cluster", f"{config.executor.address} has the slots {names}")


def _torch(asked: Counter[str], nvidia: int) -> Finding:
    """Whether torch, in a separate process, can use the `asked` GPUs by kind; nvidia-smi lists
    `nvidia` of them."""
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-c", _TORCH],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TORCH_SECONDS,
            check=True,
        )
        usable, builds = json.loads(child.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        message = f"importing it took longer than {_TORCH_SECONDS:g} s"
        return Finding("fail", "torch", message, "the disk or the GPU's driver may be stuck")
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        return Finding("fail", "torch", f"cannot be imported: {last}", "install torch again")
    except (OSError, ValueError, IndexError) as error:
        return Finding("fail", "torch", f"cannot be asked: {error}", "install torch again")
    build = TorchBuild(**builds)
    number = max(usable.values())
    can = f"{build.describe()}; it can use {counted(number, 'GPU')}"
    if all(count <= usable[kind] for kind, count in asked.items()):
        return Finding("ok", "torch", can)
    hint = "write `devices: [cpu]`, or install a driver and a torch that fit each other"
    if nvidia and not build.cuda:
        hint += f": {pip_line(NVIDIA_PACKAGES)}"
    message = f"{can}, but the config means {asked.total()}, nvidia-smi lists {nvidia}"
    return Finding("fail", "torch", message, hint)
