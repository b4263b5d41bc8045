"""What the service can do without, and what it never does, whatever people hand in."""

from __future__ import annotations

import ast
import json
import os
import pickle
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from support.playground import Playground
from torch import nn

import nstd
from nstd.backends.gatys import checkpoint
from nstd.backends.gatys.vgg import fill
from nstd.errors import WeightsError

CODE = Path(nstd.__file__).parent
CAN_UNSHARE = shutil.which("unshare") is not None and (
    subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0
)

# Network


def run_in(playground: Playground, *wrapper: str) -> None:
    """`nstd run --once`, wrapped in a command; fails with what it printed."""
    command = [*wrapper, sys.executable, "-m", "nstd", "run", "--once"]
    environment = playground.environment | {"NSTD_CONFIG": str(playground.config_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not CAN_UNSHARE, reason="needs user namespaces")
def test_jobs_need_no_network(playground: Playground) -> None:
    """With no interface at all, not even loopback, the default backend makes its picture."""
    options = {"preset": "draft", "budget": "2s"}
    playground.pair("beach", backend="gatys", options=options, output={"size": 64})
    run_in(playground, "unshare", "-rn")
    assert playground.record("beach")["settings"]["backend"] == "gatys"


HOOK = """
import os, sys
_log = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
def _hear(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        os.write(_log, f"{{event}} {{arguments[1:]}}\\n".encode())
    if event == "import":
        os.write(_log, f"import {{arguments[1]}}\\n".encode() if arguments[1] else b"")
sys.addaudithook(_hear)
os.write(_log, b"up\\n")
"""


def test_no_process_asks_for_the_network(playground: Playground) -> None:
    """Heard by an audit hook in the daemon, its probes and its workers: no address, no name."""
    log = playground.folder / "heard"
    (playground.site / "sitecustomize.py").write_text(HOOK.format(log=str(log)))
    playground.pair("beach")
    run_in(playground)
    assert playground.record("beach")["state"] == "finished"
    lines = log.read_text().splitlines()
    assert lines.count("up") >= 3, "the hook was not in every process"
    assert [line for line in lines if line.startswith("socket.")] == []


# Nothing outside the roots


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_nothing_outside_the_roots_is_opened_or_changed(playground: Playground) -> None:
    """Seen by the kernel, for sidecars that name what is outside in every way."""
    secret = playground.folder / "secret.png"
    shutil.copy(playground.picture("content.png"), secret)
    (playground.inbox / "link.png").symlink_to(secret)
    (playground.inbox / "dir").symlink_to(playground.folder)
    names = (str(secret), "../../secret.png", "link.png", "dir/secret.png", "a/../../../secret.png")
    for number, name in enumerate(names):
        playground.sidecar(f"bad-{number}", content=name, style="content.png")
    playground.sidecar("good", content="content.png", style="content.png")
    trace = playground.folder / "trace"
    opened, moved = "open,openat,creat,unlink,unlinkat", "rename,renameat,renameat2,link,linkat"
    calls = f"trace={opened},{moved},mkdir,mkdirat"
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True)
    if done.returncode:
        pytest.skip("may not trace")
    run_in(playground, "strace", "-f", "-qq", "-y", "-e", calls, "-o", str(trace))
    codes = {line["code"] for line in playground.events("job.failed")}
    assert codes <= {"path_refused", "sidecar_invalid"}
    assert len(playground.events("job.failed")) == len(names)
    assert len(playground.events("job.finished")) == 1
    text = trace.read_text(errors="replace")
    assert not re.search(r"open.*secret\.png.* = \d", text)
    changed = re.findall(r"(?:rename|link|unlink|mkdir|creat)\w*\((.*)\) = 0", text)
    changed += re.findall(r"open(?:at)?\((.*(?:O_WRONLY|O_RDWR|O_CREAT).*)\) = \d", text)
    assert len(changed) > 50
    fine = (str(playground.root), "/dev/null", "/proc/", "/dev/shm/sem.", "__pycache__")
    assert [line for line in changed if not any(place in line for place in fine)] == []


# Owner and mode


@pytest.mark.parametrize(("mask", "group"), [(0o007, 0o060), (0o077, 0o000)])
def test_files_get_the_mode_that_the_umask_leaves(
    playground: Playground, mask: int, group: int
) -> None:
    """What people take out has no right that the service's umask withholds, and its owner."""
    playground.pair("beach")
    playground.pair("sub/pier", options={"act": "raise"})
    before = set(playground.root.rglob("*"))  # by `nstd init`, with its own umask
    old = os.umask(mask)
    try:
        run_in(playground)
    finally:
        os.umask(old)
    made = [playground.outbox / "beach", playground.outbox / "failed" / "sub", playground.work]
    paths = {path for top in made for path in [top, *top.rglob("*")]} - before
    assert len(paths) > 8
    for path in paths:
        status = path.lstat()
        assert status.st_mode & mask == 0, path
        assert stat.S_IMODE(status.st_mode) & 0o111 == 0 or path.is_dir(), path
        assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid())
    picture = (playground.outbox / "beach" / "beach.png").stat()
    assert picture.st_mode & 0o060 == group


# Nothing is loaded from where people write


PLANTED = ("torch", "yaml", "numpy", "PIL", "nstd", "sitecustomize", "usercustomize", "json")


@pytest.mark.parametrize("place", ["root", "inbox", "styles", "outbox"])
def test_nothing_executable_is_loaded_from_the_folders(playground: Playground, place: str) -> None:
    """Modules that lie there are not imported, by the installed command with that as its cwd."""
    folder = playground.root if place == "root" else playground.root / place
    mark = playground.folder / "was-run"
    for name in PLANTED:
        (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r})\n")
    info = folder / "evil-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nstd.backends]\nevil = torch:Evil\n")
    script = playground.folder / "bin" / "nstd"
    script.parent.mkdir()
    script.write_text("import sys\nfrom nstd.cli import main\nsys.exit(main())\n")
    playground.pair("beach")
    done = subprocess.run(
        [sys.executable, str(script), "run", "--once", "-c", str(playground.config_path)],
        cwd=folder,
        env=playground.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert playground.record("beach")["state"] == "finished"
    assert not mark.exists()
    (loaded,) = playground.events("plugins.loaded")
    assert "evil" not in loaded["backends"]


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._mark,)


@pytest.mark.parametrize("form", ["zip", "legacy", "plain"])
def test_a_pickle_in_place_of_weights_is_refused(tmp_path: Path, form: str) -> None:
    """Nothing in it is run."""
    path, mark = tmp_path / "vgg19.pth", tmp_path / "was-run"
    if form == "plain":
        path.write_bytes(pickle.dumps({"features.0.weight": Bomb(mark)}, protocol=2))
    else:
        content = {"features.0.weight": torch.zeros(1), "bomb": Bomb(mark)}
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(WeightsError) as caught:
        fill(nn.Sequential(nn.Conv2d(3, 4, 3)), path, torch.float32)
    assert caught.value.code == "weights_corrupt"
    assert checkpoint.load(path.read_bytes(), "mark", "cpu") is None
    assert not mark.exists()
    assert form != "zip" or zipfile.is_zipfile(path)


def test_no_code_of_ours_loads_code() -> None:
    """Every torch.load takes weights only; nothing unpickles, evaluates or loads YAML objects."""
    loads = 0
    for path in CODE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called, words = ast.unparse(node.func), {k.arg: k.value for k in node.keywords}
            given = {name: ast.unparse(value) for name, value in words.items()}
            if called == "torch.load":
                loads += 1
                assert given.get("weights_only") == "True", path
            assert given.get("allow_pickle", "False") == "False", path
            assert given.get("shell", "False") == "False", path
            assert called not in {"eval", "exec", "os.system", "yaml.load", "yaml.unsafe_load"}, (
                path
            )
            assert not re.fullmatch(r"(pickle|marshal|shelve|dill|joblib)\.\w*loads?", called), path
    assert loads >= 2


# The log


EVIL = 'x\n{"event": "job.finished"}\r\x1b[2J\x1b]0;t\x07\u202egnp\u2066\u200b\x85\u2028[red]'


@pytest.mark.parametrize("console", ["json", "text"])
def test_names_cannot_forge_the_log(playground: Playground, console: str) -> None:
    """Newlines, terminal commands and signs that turn text around come out escaped, everywhere."""
    playground.configure(watch={"orphan": "0s"})
    playground.picture(f"{EVIL}.png")
    wish = {"content": f"{EVIL}.png", "style": f"{EVIL}.png"}
    for name in ("plain", EVIL, f"{EVIL}/inner"):
        playground.sidecar(name, content="../content.png", style="gone.png")
    (playground.inbox / f"{EVIL}-2.yaml").write_text(f"content: {json.dumps(EVIL)}\nstyle: a\n")
    (playground.inbox / f"{EVIL}-3.yaml").write_text(json.dumps(wish))
    done = playground.once("--console", console)
    raw = (playground.outbox / "logs" / "nstd.jsonl").read_bytes()
    assert raw.isascii()
    lines = [json.loads(line) for line in raw.splitlines()]
    assert {line["level"] for line in lines} <= {"info", "warning", "error"}
    claimed = [line["job"] for line in lines if line["event"] == "job.claimed"]
    assert len(claimed) == 5
    ends = [line for line in lines if line["event"] in ("job.finished", "job.failed")]
    assert sorted(line["job"] for line in ends) == sorted(claimed)
    assert all(line.isprintable() for line in done.stderr.splitlines())
    shown = [line for line in done.stderr.splitlines() if not line.startswith("    ")]
    assert len(shown) == len(lines)  # what belongs to a line, such as a hint, follows indented
    for command in (
        ["status"],
        ["logs"],
        ["check", str(playground.inbox / f"{EVIL}-9.yaml")],
        ["cancel", EVIL],
    ):
        told = playground.command(*command)
        text = told.stdout + told.stderr
        assert text
        assert all(line.isprintable() for line in text.split("\n")), command
    for log in playground.outbox.rglob("*.log"):
        assert log.read_bytes().isascii()


# The unit


def test_the_unit_grants_no_more_than_this() -> None:
    """No network, no rights, nothing writable but the root and the cache; imports stay safe."""
    text = (CODE.parent / "systemd" / "nstd.service").read_text()
    settings = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    assert settings["IPAddressDeny"] == "any"
    assert settings["CapabilityBoundingSet"] == settings["AmbientCapabilities"] == ""
    assert settings["NoNewPrivileges"] == settings["ProtectHome"] == settings["PrivateTmp"] == "yes"
    assert settings["ProtectSystem"] == "strict"
    assert settings["ReadWritePaths"] == settings["WorkingDirectory"]
    assert settings["User"] == "nstd"
    assert settings["UMask"] == "0007"
    assert "PYTHONSAFEPATH=1" in text
    assert not set(settings["RestrictAddressFamilies"].split()) & {"AF_INET", "AF_INET6"}
