"""The doctor on roots that are well and roots that are not; torch is a stand-in, save once."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.mounts import mount, needs_mounts
from support.playground import Playground
from support.plugins import install

from nstd.client import access, device_checks, doctor, folder_checks
from nstd.client.doctor import examine
from nstd.client.finding import Finding
from nstd.documents.config import Config
from nstd.system import mounts
from nstd.system.lock import Lock

TORCH = """
version = type("version", (), {{"cuda": {cuda!r}}})
cuda = type("cuda", (), {{
    "is_available": staticmethod(lambda: {count} > 0), "device_count": staticmethod(lambda: {count})
}})
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Import path of this process and its children: a torch for the CPU, one healthy backend."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "torch.py").write_text(TORCH.format(cuda=None, count=0))
    install(site, "gatys", distribution="nstd")
    monkeypatch.delitem(sys.modules, "nstd_module", raising=False)  # of another root
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TORCH_HOME", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return site


@pytest.fixture
def root(tmp_path: Path, site: Path) -> Path:
    """A root with all of its folders."""
    root = tmp_path / "root"
    for name in ("inbox", "styles", "work", "outbox", "networks"):
        (root / name).mkdir(parents=True)
    return root


def look(root: Path, **settings: Any) -> list[Finding]:
    """All findings about `root`."""
    return list(examine(Config.at(root, **settings)))


def about(findings: list[Finding], what: str) -> list[Finding]:
    """The findings about one thing."""
    return [finding for finding in findings if finding.what == what]


def test_a_root_that_is_well_gets_no_complaint(root: Path) -> None:
    """Everything is looked at, and nothing is left behind in the folders."""
    before = sorted(root.rglob("*"))
    findings = look(root, devices=["cpu"])
    assert [finding for finding in findings if finding.level != "ok"] == []
    assert {finding.what for finding in findings} >= {
        "python", "packages", "devices", "torch", "inbox", "styles", "work", "outbox", "networks",
        "folders", "space", "watch", "weights", "backends", "daemon",
    }  # fmt: skip
    assert sorted(root.rglob("*")) == before


def test_torch_itself_is_asked_in_another_process(root: Path, site: Path) -> None:
    """The real torch answers; this process stays free of it or as it was."""
    (site / "torch.py").unlink()
    [finding] = about(look(root, devices=["cpu"]), "torch")
    assert finding.level == "ok"
    assert finding.message.startswith("built for")


def test_gpus_that_torch_cannot_use_are_a_failure(root: Path, site: Path) -> None:
    """A driver without a fitting torch would fail every job."""
    (site / "torch.py").write_text(TORCH.format(cuda="12.4", count=1))
    [finding] = about(look(root, devices=["cuda:0"]), "torch")
    assert (finding.level, finding.message) == ("ok", "built for CUDA 12.4; it can use 1 GPU")
    [finding] = about(look(root, devices=["cuda:0", "cuda:1"]), "torch")
    assert finding.level == "fail"
    assert "it can use 1 GPU, but the config means 2" in finding.message
    assert "devices: [cpu]" in finding.hint


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise ImportError('libcudart.so.12: cannot open')", "libcudart.so.12"),
        ("import os; os._exit(3)", "exit code 3"),
        ("import os; os._exit(0)", "cannot be asked"),
        ("import time; time.sleep(600)", "took longer"),
    ],
)
def test_a_torch_that_does_not_load_is_a_failure(
    root: Path, site: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    """Whatever it does to its own process."""
    monkeypatch.setattr(device_checks, "_TORCH_SECONDS", 2.0)
    (site / "torch.py").write_text(source)
    start = time.monotonic()
    [finding] = about(look(root, devices=["cpu"]), "torch")
    assert time.monotonic() - start < 60
    assert finding.level == "fail"
    assert said in finding.message


def test_a_folder_that_is_not_there_is_a_failure(root: Path) -> None:
    """With what to do about it."""
    (root / "outbox").rmdir()
    [finding] = about(look(root, devices=["cpu"]), "outbox")
    assert finding.level == "fail"
    assert "nstd init" in finding.hint


def test_a_folder_that_takes_what_expires_must_be_there_and_take_a_file(root: Path) -> None:
    """Else nothing could go, which the log would tell ten minutes after the start."""
    there = root.parent / "old"
    config = Config.at(root, retention={"results": "90d", "move_to": there})
    levels = [
        finding.level for finding in folder_checks.folders(config) if finding.what == "move_to"
    ]
    assert levels == ["fail"]
    there.mkdir()
    levels = [
        finding.level for finding in folder_checks.folders(config) if finding.what == "move_to"
    ]
    assert levels == ["ok"]
    assert list(there.iterdir()) == []


def test_a_folder_that_refuses_a_file_is_a_failure(root: Path) -> None:
    """Not even root can write into /proc."""
    [finding] = about(look(root, devices=["cpu"], folders={"work": "/proc/self"}), "work")
    assert finding.level == "fail"
    assert "(proc at /proc)" in finding.message
    [finding] = about(look(root, devices=["cpu"], folders={"work": "/proc/self"}), "folders")
    assert "different filesystems" in finding.message


@needs_mounts
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("size=64k", "the disk at {} is full: 0B of 64KiB are free"),
        ("size=1m,nr_inodes=3", "the disk at {} takes no more files: it has 3"),
    ],
)
def test_a_full_disk_is_told_with_what_is_free_and_what_to_do(
    playground: Playground, options: str, words: str
) -> None:
    """Nobody's rights are to blame for it, and none are advised."""
    (playground.site / "torch.py").write_text(TORCH.format(cuda=None, count=0))
    work = playground.work
    mount(playground, work, options)
    fill = f'head -c 1m /dev/zero >{work}/a; touch {work}/b {work}/c; exec "$@"'
    playground.prefix = [*playground.prefix, "sh", "-c", fill, "sh"]
    done = playground.command("doctor")
    (told,) = [line for line in done.stdout.splitlines() if line.startswith("FAIL  work: ")]
    assert words.format(work) in told
    after = done.stdout.partition(told)[2].splitlines()[1]
    assert "old results in the outbox" in after
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("outbox/logs", "file", "is a file, and nstd needs a folder there"),
        ("work/.requests", "file", "is a file, and nstd needs a folder there"),
        ("outbox/index.html", "folder", "is a folder, and nstd needs a regular file there"),
        ("outbox/gallery", "link", "is a symbolic link, and nstd needs a folder there"),
    ],
)
def test_a_thing_of_another_kind_in_a_place_of_nstd_is_a_failure(
    root: Path, name: str, kind: str, words: str
) -> None:
    """With the command that moves it away."""
    path = root / name
    if kind == "file":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(root)
    (finding,) = about(look(root, devices=["cpu"]), "access")
    assert (finding.level, finding.message) == ("fail", f"{path} {words}")
    assert finding.hint == f"run: mv {path} {path}.old; nstd makes it anew"


def test_a_folder_of_the_root_that_is_a_file_is_told_as_such(root: Path) -> None:
    """`mkdir` alone would not help."""
    (root / "styles").rmdir()
    (root / "styles").touch()
    (finding,) = about(look(root, devices=["cpu"]), "styles")
    assert finding.message == f"{root / 'styles'} is no folder"
    assert finding.hint.startswith(f"run: mv {root / 'styles'} ")


def test_too_little_space_is_a_failure(root: Path) -> None:
    """The daemon would pause its intake."""
    [finding] = about(look(root, devices=["cpu"], limits={"min_free": 2**60}), "space")
    assert finding.level == "fail"
    assert "limits.min_free" in finding.hint


def test_a_network_mount_is_polled_or_warned_about(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events of other machines never come; auto knows that, `events` must be told."""
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / {root / 'inbox'} rw - nfs4 nas:/ rw\n")
    monkeypatch.setattr(mounts, "_MOUNTINFO", table)
    [finding] = about(look(root, devices=["cpu"]), "watch")
    assert finding.level == "ok"
    assert "is read every 2 s" in finding.message
    [finding] = about(look(root, devices=["cpu"], watch={"mode": "events"}), "watch")
    assert finding.level == "warn"
    assert "nfs4" in finding.message


def test_a_kernel_limit_below_the_number_of_folders_is_warned_about(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each folder of the inbox takes a watch."""
    limits = tmp_path / "inotify"
    limits.mkdir()
    (limits / "max_user_watches").write_text("4\n")
    (limits / "max_user_instances").write_text("1\n")
    monkeypatch.setattr(folder_checks, "_INOTIFY", limits)
    for name in ("a", "b", "c"):
        (root / "inbox" / name).mkdir()
    watches, instances = about(look(root, devices=["cpu"]), "watch")
    assert (watches.level, instances.level) == ("warn", "warn")
    assert "4 inbox folders" in watches.message
    assert "fs.inotify.max_user_watches=16" in watches.hint


def test_files_of_another_owner_inside_the_root_are_failures(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock, a folder of notes, a log: what a command left that was run as root."""
    (root / "work" / ".requests").mkdir()
    (root / "outbox" / "logs").mkdir()
    own = [root / "work" / "daemon.lock", root / "outbox" / "logs" / "nstd.jsonl"]
    for path in own:
        path.touch()
    assert [f.level for f in about(look(root, devices=["cpu"]), "access")] == ["ok"]
    closed = {*own, root / "work" / ".requests"}
    monkeypatch.setattr(access, "daemon_user", lambda work: 4711)
    monkeypatch.setattr(access, "may_write", lambda path, status, user: path not in closed)
    findings = about(look(root, devices=["cpu"]), "access")
    assert {finding.level for finding in findings} == {"fail"}
    for path in closed:
        (finding,) = [f for f in findings if f"{path} belongs to" in f.message]
        assert finding.hint == f"run: sudo chown -R 4711 {path}"


@pytest.mark.parametrize(
    ("mode", "owner", "may"),
    [(0o644, True, True), (0o444, True, False), (0o644, False, False), (0o666, False, True)],
)
def test_whomay_write_is_told_by_owner_and_mode(
    tmp_path: Path, mode: int, owner: bool, may: bool
) -> None:
    """For a user that is another one than who asks."""
    path = tmp_path / "file"
    path.touch(mode=0o600)
    path.chmod(mode)
    status = os.stat_result((mode, 1, 1, 1, 4711 if owner else 4712, 4713, 0, 0, 0, 0))
    assert access.may_write(path, status, 4711) is may


def test_a_sticky_inbox_of_another_owner_is_a_failure(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sidecar of anybody else could be taken out of it."""
    (root / "inbox").chmod(0o1777)
    assert [f.level for f in about(look(root, devices=["cpu"]), "access")] == ["ok"]
    monkeypatch.setattr(access, "daemon_user", lambda work: 4711)
    (finding,) = about(look(root, devices=["cpu"]), "access")
    assert finding.level == "fail"
    assert "is sticky" in finding.message
    assert "chmod -t" in finding.hint


def test_used_up_watchers_are_a_warning(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit that helps."""

    class Library:
        def inotify_init1(self, flags: int) -> int:
            ctypes.set_errno(errno.EMFILE)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: Library())
    levels = {f.hint.partition("=")[0]: f.level for f in access.check_instances(128)}
    assert levels == {"raise it: sysctl fs.inotify.max_user_instances": "warn"}


def test_absent_weights_fail_only_who_asks_for_them(root: Path) -> None:
    """A config whose jobs need vgg16 is told how to get it."""
    assert {finding.level for finding in about(look(root, devices=["cpu"]), "weights")} == {"ok"}
    asked = look(root, devices=["cpu"], backends={"gatys": {"network": "vgg16"}})
    _, torchvision, vgg16 = about(asked, "weights")
    assert (torchvision.level, vgg16.level) == ("ok", "fail")
    assert "nstd networks install vgg16" in vgg16.hint
    assert "nstd networks install vgg19-torchvision" in torchvision.message
    other = look(root, devices=["cpu"], backends={"gatys": {"network": "torchvision:vgg11"}})
    (failed,) = (finding for finding in about(other, "weights") if finding.level == "fail")
    assert "nstd networks install torchvision:vgg11" in failed.hint


def test_wrong_weights_always_fail(root: Path) -> None:
    """A damaged file is found before a job finds it."""
    (root / "networks" / "vgg16-397923af.pth").write_bytes(b"half")
    vgg19, _, vgg16 = about(look(root, devices=["cpu"]), "weights")
    assert (vgg19.level, vgg16.level) == ("ok", "fail")


def test_a_broken_backend_fails_where_jobs_use_it(root: Path, site: Path) -> None:
    """Another one is a warning, one that is not installed a failure."""
    install(site, "ink", before="raise RuntimeError('dry')")
    by_name = {f.message.split()[0]: f for f in about(look(root, devices=["cpu"]), "backends")}
    assert (by_name["ink"].level, by_name["gatys"].level) == ("warn", "ok")
    assert "RuntimeError: dry" in by_name["ink"].message
    levels = [
        finding.level
        for finding in about(look(root, devices=["cpu"], jobs={"backend": "ink"}), "backends")
    ]
    assert levels == ["ok", "fail"]
    last = about(look(root, devices=["cpu"], jobs={"backend": "oil"}), "backends")[-1]
    assert (last.level, "oil" in last.message) == ("fail", True)


def test_a_running_daemon_is_named(root: Path) -> None:
    """By its pid, from the lock that it holds."""
    lock = Lock(root / "work" / "daemon.lock")
    lock.acquire()
    [finding] = about(look(root, devices=["cpu"]), "daemon")
    assert finding.message == f"runs as pid {os.getpid()}"
    lock.release()


def test_what_cannot_be_looked_at_stops_no_other_check(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Someone else's folders may be closed to the person who asks."""

    def closed(path: Path) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(doctor, "holder", closed)
    finding = look(root, devices=["cpu"])[-1]
    assert (finding.level, finding.what) == ("fail", "daemon")
    assert "Permission denied" in finding.message


@pytest.mark.parametrize(
    ("av", "level", "words"),
    [
        ("__version__ = '16.0'", "ok", "av 16.0, opencv-python-headless 4.12"),
        ("__version__ = '9.2.0'", "warn", "need av 16 or newer, and 9.2.0 is installed"),
        ("raise ImportError('libavcodec.so.62 is gone')", "warn", "libavcodec.so.62 is gone"),
        ("import os; os._exit(1)", "warn", "end the process that loads them"),
        ("", "ok", "need more packages"),
    ],
)
def test_the_extra_of_films_is_tried(
    root: Path, site: Path, av: str, level: str, words: str
) -> None:
    """In a process of its own. Where it is missing, with the command: not everybody needs it."""
    (site / "cv2.py").write_text("__version__ = '4.12'")
    (metadata,) = site.glob("nstd-*/METADATA")
    metadata.write_text(metadata.read_text() + "Requires-Dist: av>=16; extra == 'film'\n")
    if av:
        (site / "av.py").write_text(av)
    else:
        (site / "sitecustomize.py").write_text("import sys\nsys.modules['av'] = None\n")
    (found,) = doctor._films(Config.at(root))
    assert (found.level, words in found.message) == (level, True), found
    if words != "end the process that loads them":
        assert ("pip install" in found.message + found.hint) == (av != "__version__ = '16.0'")


def test_a_missing_package_is_a_failure(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by its metadata, without importing it."""
    monkeypatch.setattr(doctor, "_PACKAGES", ("nstd", "no-such-package"))
    failed, rest = about(look(root, devices=["cpu"]), "packages")
    assert failed.level == "fail"
    assert "no-such-package" in failed.message
    assert rest.message == "nstd 1.0"
