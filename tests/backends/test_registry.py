"""Plugins are real distributions here, probed in real processes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from support.playground import wait_for
from support.plugins import BACKEND, install, metadata

from nstd.backends import reprobe
from nstd.backends.probe import BackendStatus, probe
from nstd.backends.registry import Backends, load
from nstd.errors import BackendError

SECONDS = 5.0  # of a probe; a healthy one takes a quarter of a second


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of distributions, first on the import path; the built-ins are hidden by it."""
    site = tmp_path / "site"
    site.mkdir()
    metadata(site, "nstd", "")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "nstd_module", raising=False)  # of another file's test
    yield site
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(site)):
            del sys.modules[name]


def statuses(plugins: Backends) -> dict[str, BackendStatus]:
    """The status of every plugin by name."""
    return {plugin.name: plugin.status for plugin in plugins.check_all()}


def test_a_healthy_plugin_is_found_and_used(site: Path) -> None:
    """A distribution with an entry point is all it takes."""
    install(site, "echo")
    plugins = Backends()
    assert plugins.names() == ["echo"]
    backend = plugins.get("echo")
    assert backend.name == "echo"
    assert backend.Options(strength=2).model_dump() == {"strength": 2.0}
    assert plugins.get("echo") is backend
    [plugin] = plugins.check_all()
    assert plugin.status is BackendStatus.OK
    assert (plugin.distribution, plugin.version) == ("nstd-echo", "1.0")
    assert plugin.summary == "A backend that gives the content back."


def test_bad_plugins_harm_neither_the_daemon_nor_the_good_one(site: Path) -> None:
    """Each bad plugin is listed with what is wrong with it; the good one works all the same."""
    install(site, "good")
    install(site, "raises", before="raise RuntimeError('no licence')")
    install(site, "absent", attribute="Nothing")
    install(site, "exits", before="import sys; sys.exit(0)")
    install(site, "liar", entry="truth")
    install(site, "hangs", before="import time; time.sleep(600)")
    install(site, "dies", before="import os; os._exit(7)")
    install(site, "crashes", before="import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    install(site, "heavy", before="import sys, types; sys.modules['torch'] = types.ModuleType('')")
    install(
        site, "lazy", BACKEND + "    def __init__(self): import sys; sys.modules['torch'] = sys\n"
    )
    install(site, "function", "def Fake(): pass")
    install(site, "optionless", "class Fake: name = '{name}'; size = None; run = print")
    install(site, "runless", BACKEND.replace("def run", "def walk"))
    install(site, "sizeless", BACKEND.replace("size = None", "size = 'big'"))
    install(site, "greedy", BACKEND.replace("size = None", "size = None; takes = 'region'"))
    install(site, "picky", BACKEND + "    def __init__(self, key): pass\n")
    start = time.monotonic()
    plugins = Backends(probe_seconds=SECONDS)
    found = {plugin.name: plugin for plugin in plugins.check_all()}
    assert time.monotonic() - start < SECONDS + 60
    assert {name: plugin.status for name, plugin in found.items()} == {
        "good": BackendStatus.OK,
        "raises": BackendStatus.LOAD_ERROR,
        "absent": BackendStatus.LOAD_ERROR,
        "exits": BackendStatus.LOAD_ERROR,
        "truth": BackendStatus.NAME_MISMATCH,
        "hangs": BackendStatus.TIMEOUT,
        "dies": BackendStatus.DIED,
        "crashes": BackendStatus.DIED,
        "heavy": BackendStatus.IMPORTS_TORCH,
        "lazy": BackendStatus.IMPORTS_TORCH,
        "function": BackendStatus.INVALID,
        "optionless": BackendStatus.INVALID,
        "runless": BackendStatus.INVALID,
        "sizeless": BackendStatus.INVALID,
        "greedy": BackendStatus.INVALID,
        "picky": BackendStatus.INVALID,
    }
    assert "RuntimeError: no licence" in found["raises"].reason
    assert "nstd_raises_module.py:1" in found["raises"].reason
    assert "'liar'" in found["truth"].reason
    assert "exit status 7" in found["dies"].reason
    assert "SIGSEGV" in found["crashes"].reason
    assert "inside run()" in found["heavy"].reason
    assert plugins.get("good").name == "good"
    assert "nstd_heavy_module" not in sys.modules


def test_an_unhealthy_plugin_is_refused_with_its_status_and_reason(site: Path) -> None:
    """A job that names it is told what is wrong and with which package."""
    install(site, "raises", before="raise RuntimeError('no licence')")
    with pytest.raises(BackendError, match=r"nstd-raises 1\.0.*load_error.*no licence") as caught:
        Backends().get("raises")
    assert caught.value.code == "backend_unknown"
    assert caught.value.hint


def test_an_unknown_name_is_answered_with_the_nearest_one(site: Path) -> None:
    """A misspelt backend is told from one that is broken."""
    install(site, "watercolour")
    with pytest.raises(BackendError, match="no backend 'watercolor'") as caught:
        Backends().get("watercolor")
    assert "did you mean watercolour?" in caught.value.hint


def test_without_any_backend_the_hint_is_to_install_nstd(site: Path) -> None:
    """A bare checkout has no entry points."""
    with pytest.raises(BackendError, match="no backend at all") as caught:
        Backends().get("gatys")
    assert "install nstd" in caught.value.hint


def test_what_a_plugin_prints_or_reads_does_not_spoil_its_probe(site: Path) -> None:
    """Its output goes nowhere, and its standard input is empty."""
    noise = """
        import os, sys
        print('{"status": "died", "reason": "", "summary": ""}', flush=True)
        os.write(2, b'x' * 1000000)
        assert sys.stdin.read() == ""
    """
    install(site, "noisy", before=noise)
    assert statuses(Backends()) == {"noisy": BackendStatus.OK}


def test_a_hanging_plugin_leaves_no_process_behind(site: Path, tmp_path: Path) -> None:
    """What it started is ended with it, even when that holds everything open."""
    pids = tmp_path / "pids"
    spawn = f"""
        import os, subprocess, time
        child = subprocess.Popen(["sleep", "600"], close_fds=False)
        open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
        time.sleep(600)
    """
    install(site, "hangs", before=spawn)
    assert statuses(Backends(probe_seconds=SECONDS)) == {"hangs": BackendStatus.TIMEOUT}
    for pid in pids.read_text().split():
        assert not _runs(int(pid))


def _runs(pid: int) -> bool:
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except OSError:
            return False
        time.sleep(0.02)
    return True


def test_only_what_is_asked_for_is_probed_and_only_once(site: Path, tmp_path: Path) -> None:
    """A healthy plugin is imported by one probe and by the daemon, an unasked one by nobody."""
    log = tmp_path / "imports"
    note = f"""
import os
with open({str(log)!r}, "a") as log:
    log.write("{{name}} " + str(os.getpid()) + "\\n")
"""
    install(site, "asked", note + BACKEND)
    install(site, "unasked", note + BACKEND)
    plugins = Backends()
    plugins.get("asked")
    plugins.get("asked")
    lines = log.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["asked", "asked"]
    assert lines[1] == f"asked {os.getpid()}" != lines[0]
    plugins.check_all()
    plugins.check_all()
    assert len(log.read_text().splitlines()) == 3


def test_two_claims_to_one_name_make_both_duplicates(site: Path) -> None:
    """Neither of two third parties wins silently, and neither is imported."""
    install(site, "ink", distribution="ink-one", before="raise RuntimeError")
    install(site, "ink", distribution="ink-two")
    plugins = Backends()
    assert [plugin.status for plugin in plugins.check_all()] == [BackendStatus.DUPLICATE] * 2
    assert [plugin.reason for plugin in plugins.check_all()] == [
        "also claimed by ink-two",
        "also claimed by ink-one",
    ]
    for get in (plugins.get, load):
        with pytest.raises(BackendError, match="duplicate"):
            get("ink")


def test_a_built_in_keeps_its_name(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party that claims a name of nstd's own is listed, and never used."""
    first, second = site / "first", site / "second"
    first.mkdir()
    second.mkdir()
    install(first, "own", distribution="aaa-thief", before="raise RuntimeError")
    install(second, "own", distribution="nstd")
    monkeypatch.syspath_prepend(str(second))
    monkeypatch.syspath_prepend(str(first))
    plugins = Backends()
    assert {plugin.distribution: plugin.status for plugin in plugins.check_all()} == {
        "aaa-thief": BackendStatus.DUPLICATE,
        "nstd": BackendStatus.OK,
    }
    assert type(plugins.get("own")).__module__ == "nstd_module"
    assert type(load("own")).__module__ == "nstd_module"


def test_a_distribution_seen_twice_is_no_duplicate(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editable install may stand beside a copy; Python's own rule holds, the first wins."""
    copy = tmp_path / "copy"
    copy.mkdir()
    install(site, "echo")
    install(copy, "echo", distribution="NSTD_Echo")
    monkeypatch.syspath_prepend(str(copy))
    assert statuses(Backends()) == {"echo": BackendStatus.OK}


def test_broken_metadata_is_survived(site: Path) -> None:
    """Entry points that cannot be read are listed; a plugin without METADATA still works."""
    install(site, "good")
    (install(site, "bare") / "METADATA").unlink()
    (install(site, "garbled") / "entry_points.txt").write_bytes(b"[nstd.backends]\n\xff\xfe = \n")
    found = {plugin.name: plugin for plugin in Backends().check_all()}
    assert {name: plugin.status for name, plugin in found.items()} == {
        "good": BackendStatus.OK,
        "bare": BackendStatus.OK,
        "nstd-garbled": BackendStatus.LOAD_ERROR,
    }
    assert "entry points cannot be read" in found["nstd-garbled"].reason


def test_a_plugin_that_fails_in_the_daemon_alone_is_refused(site: Path, tmp_path: Path) -> None:
    """A probe proves nothing for ever: the import here is guarded too, and done once."""
    log = tmp_path / "imports"
    moody = f"""
        import sys
        with open({str(log)!r}, "a") as log:
            log.write("x")
        if "pytest" in sys.modules:
            sys.exit("not here")
    """
    install(site, "moody", before=moody)
    plugins = Backends()
    assert statuses(plugins) == {"moody": BackendStatus.OK}
    for _ in range(2):
        with pytest.raises(BackendError, match=r"load_error.*not here"):
            plugins.get("moody")
    assert statuses(plugins) == {"moody": BackendStatus.LOAD_ERROR}
    assert log.read_text() == "xx"


def test_a_worker_loads_without_a_probe(site: Path, tmp_path: Path) -> None:
    """In a fresh process `load` imports the backend once, itself."""
    log = tmp_path / "imports"
    install(site, "echo", before=f"open({str(log)!r}, 'a').write('x')")
    code = (
        "import json; from nstd.backends.registry import load; print(json.dumps(load('echo').name))"
    )
    path = os.pathsep.join([str(site), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": path}
    answer = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stdout) == "echo"
    assert log.read_text() == "x"


def test_a_worker_is_refused_a_name_that_nobody_has(site: Path) -> None:
    """`load` raises what `get` does."""
    with pytest.raises(BackendError):
        load("nobody")


def test_the_built_ins_come_by_the_same_door() -> None:
    """nstd's own backends are entry points like any other, and healthy."""
    try:
        distribution("nstd")
    except PackageNotFoundError:
        pytest.skip("nstd is not installed here")
    found = {plugin.name: plugin for plugin in Backends().check_all()}
    for name in ("gatys", "color-transfer"):
        assert found[name].distribution == "nstd"
        assert (found[name].status, found[name].reason) == (BackendStatus.OK, "")


SHORT = """
import os
if os.path.exists({flag!r}):
    raise MemoryError("none left")
"""


def test_a_trouble_that_may_pass_is_looked_at_again_and_an_error_of_the_plugin_is_not(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that was short of memory makes no plugin bad; nobody waits for the new probe."""
    monkeypatch.setattr(reprobe, "FIRST_WAIT", 0.01)
    flag = tmp_path / "short"
    flag.touch()
    install(site, "large", before=SHORT.format(flag=str(flag)))
    install(site, "wrong", before="raise RuntimeError('no licence')")
    plugins = Backends()
    plugins.is_patient = True
    for _ in range(2):
        for name, code in (("large", "backend_unavailable"), ("wrong", "backend_unknown")):
            with pytest.raises(BackendError) as caught:
                plugins.get(name)
            assert caught.value.code == code
    assert list(plugins.unavailable()) == ["large"]
    flag.unlink()

    def comes_back() -> bool:
        with suppress(BackendError):
            return plugins.get("large").name == "large"
        return False

    wait_for(comes_back)
    assert plugins.unavailable() == {}


def test_a_probe_that_took_too_long_or_did_not_start_may_pass(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was slow, or the system had no process left."""
    install(site, "slow", before="import time; time.sleep(60)")
    assert probe("slow", "nstd_slow_module:Fake", 0.5).may_pass

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "no process")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert probe("slow", "nstd_slow_module:Fake", 0.5).may_pass


def test_a_plugin_that_somebody_has_mended_is_used_after_failures_are_forgotten(
    site: Path, tmp_path: Path
) -> None:
    """As HUP does; the healthy ones are not probed again."""
    flag = tmp_path / "broken"
    flag.touch()
    broken = f"import os\nif os.path.exists({str(flag)!r}): raise RuntimeError('no licence')"
    install(site, "mended", before=broken)
    plugins = Backends()
    assert statuses(plugins) == {"mended": BackendStatus.LOAD_ERROR}
    flag.unlink()
    assert statuses(plugins) == {"mended": BackendStatus.LOAD_ERROR}
    plugins.forget_failures()
    assert statuses(plugins) == {"mended": BackendStatus.OK}
    assert plugins.get("mended").name == "mended"


def test_the_built_ins_are_not_probed_in_child_processes(site: Path) -> None:
    """Nothing of nstd itself needs one; a plugin of somebody else does."""
    install(site, "own", distribution="nstd")
    code = """
import json, sys
from nstd.backends.registry import Backends
started = []
sys.addaudithook(lambda event, given: event == "subprocess.Popen" and started.append(given[1][-2]))
found = {plugin.name: [plugin.status, plugin.summary] for plugin in Backends().check_all()}
print(json.dumps([found, started]))
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), *filter(None, sys.path)])}

    def look() -> object:
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=True
        )
        return json.loads(done.stdout)

    own = {"own": ["ok", "A backend that gives the content back."]}
    assert look() == [own, []]
    install(site, "other")
    found = own | {"other": own["own"]}
    assert look() == [found, ["nstd_other_module:Fake"]]


def test_a_built_in_that_is_damaged_is_listed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the installation may be gone; the rest works."""
    install(site, "own", distribution="nstd", before="import nstd.not_there")
    install(site, "good")
    plugins = Backends()
    assert statuses(plugins) == {"good": BackendStatus.OK, "own": BackendStatus.LOAD_ERROR}
    with pytest.raises(BackendError, match=r"load_error.*not_there"):
        plugins.get("own")
