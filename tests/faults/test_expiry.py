"""A sweep of what is too old that is killed, fails, or loses the power at any step.

The invariant: a unit is whole in the outbox, or hidden there, or whole where it is moved to; after
the next sweep it is there exactly once, or deleted, and what is not due is as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from support.forge import FaultyFiles
from support.playground import Playground
from support.powercut import Recorder, State, cuts

from nstd.documents.retention import RetentionSettings
from nstd.outbox.expiry import sweep
from nstd.system.durable import Files

pytestmark = pytest.mark.timeout(1800)
SOME = 7
"""The short forms try every 7th step, from one that each run draws; the slow ones try all."""
TRIED = 25
"""States of power cuts that the short form draws; the slow one tries all."""
LATER = 100 * 86400.0
UNITS = {"beach", "sub/pier", "archive/old.png"}
Tree = dict[str, str]
"""The SHA-256 of each file, by its path."""


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two results and an archived picture that are due, and a failure that is not."""
    playground = Playground(tmp_path_factory.mktemp("seed"), executor={"kind": "inline"})
    playground.configure(gallery={"enabled": False})
    playground.pair("beach")
    playground.pair("sub/pier")
    playground.pair("bad", options={"act": "raise"})
    assert playground.once().returncode == 0
    archive = playground.outbox / "archive"
    archive.mkdir()
    Image.new("RGB", (8, 8), "teal").save(archive / "old.png")
    shutil.rmtree(playground.outbox / "logs")
    return playground.root


def plant(seed: Path, root: Path, *, moves: bool) -> tuple[Path, RetentionSettings]:
    """A copy of that root, and the limits; with a folder `kept` if what goes is moved."""
    shutil.copytree(seed, root)
    (root / "kept").mkdir()
    return root, limits(root, moves=moves)


def limits(root: Path, *, moves: bool) -> RetentionSettings:
    """What is due in `LATER`."""
    there = root / "kept" if moves else None
    return RetentionSettings(results="90d", pictures="90d", move_to=there)


def run(root: Path, retention: RetentionSettings, make: Callable[[], Files]) -> int:
    """A sweep in a process of its own, with these file operations; its exit status."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            now = time.time() + LATER
            sweep(root / "outbox", root / "work", retention, make(), now, lambda unit: None)
            status = 0
        except OSError:
            status = 3
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def tree(folder: Path) -> Tree:
    """All files below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def of(unit: str, files: Tree) -> Tree:
    """Those files that belong to a unit."""
    return {path: digest for path, digest in files.items() if f"{path}/".startswith(f"{unit}/")}


def check_after_fault(root: Path, before: Tree, *, moves: bool) -> None:
    """What a person sees is whole: in the outbox, and where it is moved to."""
    outbox, kept = tree(root / "outbox"), tree(root / "kept")
    held = [path for path in outbox if path.startswith(".expired/")]
    for unit in UNITS:
        whole = of(unit, before)
        assert of(unit, outbox) in ({}, whole)
        assert of(unit, kept) in ({}, whole)
        hidden = {path.split("/", 2)[2]: outbox[path] for path in held if f"/{unit}" in f"{path}/"}
        if moves and not of(unit, outbox) and not of(unit, kept):
            assert hidden == whole, unit
    assert of("failed", outbox) == of("failed", before)
    visible = [path for path in kept if not path.startswith(".nstd-")]
    assert {
        path for path in visible if path.split("/")[0] not in {"beach", "sub", "archive"}
    } == set()


def check_end(root: Path, before: Tree, *, moves: bool) -> None:
    """All that was due is gone, or moved once; the rest is there, and nothing is left over."""
    left = {path for unit in UNITS for path in of(unit, before)}
    assert tree(root / "outbox") == {p: sha for p, sha in before.items() if p not in left}
    assert tree(root / "kept") == ({p: before[p] for p in left} if moves else {})
    assert not (root / "outbox" / ".expired").exists()
    assert not list((root / "kept").glob(".nstd-*"))


def strides() -> list[object]:
    """The short form, and the long one."""
    return [SOME, pytest.param(1, marks=pytest.mark.slow)]


@pytest.mark.parametrize("stride", strides())
@pytest.mark.parametrize("fault", ["kill", "EIO", "ENOSPC"])
@pytest.mark.parametrize("moves", [False, True], ids=["deleted", "moved"])
def test_sigkill_or_fail_at_every_step_of_an_expiry(
    tmp_path: Path, seed: Path, moves: bool, fault: str, stride: int
) -> None:
    """The next sweep finishes it."""
    before, first = tree(seed / "outbox"), random.randint(1, stride)
    for at in range(first, 1000, stride):
        root, retention = plant(seed, tmp_path / f"{at}", moves=moves)
        status = run(root, retention, lambda at=at: FaultyFiles(at=at, fault=fault))  # type: ignore[misc]
        if status == 0:
            check_end(root, before, moves=moves)
            assert at > 20, "too few steps to be true"
            return
        assert status == (-9 if fault == "kill" else 3)
        check_after_fault(root, before, moves=moves)
        assert run(root, retention, Files) == 0, f"after {fault} at step {at}"
        check_end(root, before, moves=moves)
        shutil.rmtree(root)


@pytest.mark.parametrize("moves", [False, True], ids=["deleted", "moved"])
def test_a_power_cut_in_an_expiry_loses_nothing(tmp_path: Path, seed: Path, moves: bool) -> None:
    """A sample of what power cuts may leave."""
    found = list(_recorded(tmp_path, seed, moves=moves))
    assert len(found) > 30, "too few states to be true"
    for moment, cut in random.sample(found, TRIED):
        _survive(tmp_path / "left", seed, moment, cut, moves=moves)


@pytest.mark.slow
@pytest.mark.parametrize("moves", [False, True], ids=["deleted", "moved"])
def test_a_power_cut_at_any_moment_of_an_expiry_loses_nothing(
    tmp_path: Path, seed: Path, moves: bool
) -> None:
    """Every state."""
    for moment, cut in _recorded(tmp_path, seed, moves=moves):
        _survive(tmp_path / "left", seed, moment, cut, moves=moves)


def _recorded(tmp_path: Path, seed: Path, *, moves: bool) -> Iterator[tuple[int, State]]:
    root, retention = plant(seed, tmp_path / "recorded", moves=moves)
    record = tmp_path / "record"
    assert run(root, retention, lambda: Recorder(str(root), str(record))) == 0
    yield from cuts(record)


def _survive(root: Path, seed: Path, moment: int, cut: State, *, moves: bool) -> None:
    """Lay down what a cut left, look, sweep again, and look again."""
    before = tree(seed / "outbox")
    cut.lay_down(root)
    try:
        if moves:
            _check_nothing_is_lost(root, before)
        assert run(root, limits(root, moves=moves), Files) == 0
        check_end(root, before, moves=moves)
    except AssertionError as error:
        raise AssertionError(f"power cut at look {moment}, {cut.variant}: {root}") from error
    shutil.rmtree(root)


def _check_nothing_is_lost(root: Path, before: Tree) -> None:
    """Each unit is somewhere, whole."""
    outbox, kept = tree(root / "outbox"), tree(root / "kept")
    hidden = [tree(held) for held in (root / "outbox").glob(".expired/*") if held.suffix != ".done"]
    for unit in UNITS:
        whole = of(unit, before)
        assert whole in [of(unit, files) for files in (outbox, kept, *hidden)], unit


def test_what_a_killed_sweep_has_left_is_told_and_finished(
    playground: Playground,
) -> None:
    """By `nstd verify`, and by `nstd expire`, whatever the config says by then."""
    playground.pair("beach")
    playground.once()
    held = playground.outbox / ".expired" / "1-abc123abc123"
    held.mkdir(parents=True)
    (playground.outbox / "beach").rename(held / "beach")
    done = playground.command("verify", "--json")
    wrong = json.loads(done.stdout)["wrong"]
    assert "expiry_left" in {each["kind"] for each in wrong}
    there = playground.folder / "kept"
    there.mkdir()
    playground.configure(retention={"move_to": str(there), "results": "90d"})
    assert playground.command("expire").returncode == 0
    assert (there / "beach" / "beach.png").exists()
    assert playground.command("verify").returncode == 0
