"""What is older than the config says goes from the outbox; what is not nstd's own, never."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.disk import names_in
from support.playground import Playground

from nstd.documents.retention import RetentionSettings
from nstd.errors import StoreError
from nstd.outbox.expiry import DueUnit, find_due, sweep
from nstd.system.durable import Files
from nstd.system.lock import Lock

DAY = 86400.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a daemon that has made two results, a failure and a batch of two."""
    playground = Playground(tmp_path_factory.mktemp("made"), executor={"kind": "inline"})
    playground.pair("beach")
    playground.pair("sub/pier")
    playground.pair("sub/bad", options={"act": "raise"})
    playground.pair("studies", options={"steps": [1, 2]})
    assert playground.once().returncode == 0
    for name in ("old.png", "sub/older.png"):
        path = playground.outbox / "archive" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return playground.root


@pytest.fixture
def root(tmp_path: Path, made: Path) -> Path:
    """A copy of that root."""
    shutil.copytree(made, tmp_path / "root")
    return tmp_path / "root"


def expired(root: Path, days: float = 100, files: Files | None = None, **said: Any) -> list[str]:
    """What a sweep takes out in so many days, with these limits."""
    gone = list[DueUnit]()
    retention, now = RetentionSettings(**said), time.time() + days * DAY
    sweep(root / "outbox", root / "work", retention, files or Files(), now, gone.append)
    return sorted(unit.path for unit in gone)


def due(root: Path, days: float = 100, **said: Any) -> dict[str, str]:
    """What would go in so many days, and why not, if it stays."""
    retention = RetentionSettings(**said)
    found = find_due(root / "outbox", root / "work", retention, time.time() + days * DAY)
    return {unit.path: unit.kept for unit in found}


def test_without_limits_nothing_ever_goes(root: Path) -> None:
    """That is the default."""
    assert not RetentionSettings().is_on
    assert due(root, days=3000) == {}


@pytest.mark.parametrize(
    ("limit", "gone"),
    [
        ({"results": "90d"}, ["beach", "studies", "sub/pier"]),
        ({"failures": "90d"}, ["failed/sub/bad"]),
        ({"pictures": "90d"}, ["archive/old.png", "archive/sub/older.png"]),
        ({"results": "101d", "failures": "101d", "pictures": "101d"}, []),
    ],
    ids=lambda value: next(iter(value), "none") if isinstance(value, dict) else "",
)
def test_what_is_too_old_goes_and_the_rest_stays(
    root: Path, limit: dict[str, Any], gone: list[str]
) -> None:
    """Each kind has a limit of its own; a batch goes whole; folders that are empty then go, too."""
    outbox = root / "outbox"
    note = root / "inbox" / ".nstd" / "made" / "note"  # of a picture that a recipe has made
    note.parent.mkdir(parents=True)
    note.write_text("made")
    others = {path for name in ("inbox", "styles") for path in (root / name).rglob("*")}
    kinds = {"archive", "beach", "failed", "studies", "sub"}
    assert expired(root, **limit) == gone
    for path in gone:
        assert not (outbox / path).exists()
    left = {name for name in kinds if (outbox / name).exists()}
    assert left == kinds - {path.split("/")[0] for path in gone} | {"archive", "failed"}
    assert not (outbox / ".expired").exists()
    assert expired(root, **limit) == []
    assert {path for name in ("inbox", "styles") for path in (root / name).rglob("*")} == others


def test_what_is_no_picture_in_the_archive_is_not_the_daemons(root: Path) -> None:
    """Somebody keeps a list there; it stays, whatever its age."""
    notes = root / "outbox" / "archive" / "list.txt"
    notes.write_text("mine")
    assert "archive/list.txt" not in due(root, pictures="1h")
    assert expired(root, pictures="1h") == ["archive/old.png", "archive/sub/older.png"]
    assert notes.read_text() == "mine"


def test_the_oldest_goes_first_until_the_outbox_is_small_enough(root: Path) -> None:
    """Of all kinds together; the size is what the files take on disk."""
    outbox = root / "outbox"
    everything = [*outbox.rglob("*"), outbox]
    total = sum(path.lstat().st_blocks * 512 for path in everything)
    order = [unit.path for unit in find_due(*_all(root))]
    assert len(order) == 6
    assert list(due(root, size=total)) == []
    assert list(due(root, size=total - 1)) == order[:1]
    assert expired(root, size=0) == sorted(order)


def _all(root: Path) -> tuple[Path, Path, RetentionSettings, float]:
    retention = RetentionSettings(size=0)
    return root / "outbox", root / "work", retention, time.time() + 100 * DAY


def test_what_is_younger_than_an_hour_never_goes(root: Path) -> None:
    """Not even if the outbox is too large; the time of its last change counts, also of its name."""
    for path in root.rglob("*"):
        os.utime(path, (1e9, 1e9))
    assert due(root, days=0.9 / 24, size=0, results="1h") == {}
    assert len(due(root, days=1.1 / 24, size=0, results="1h")) == 6
    with pytest.raises(ValueError, match="at least 1h"):
        RetentionSettings(results="59m")


def _add_file(outbox: Path) -> None:
    (outbox / "beach" / "notes.txt").write_text("mine")


def _add_link(outbox: Path) -> None:
    (outbox / "beach" / "beach.yaml").unlink()
    (outbox / "beach" / "beach.yaml").symlink_to("/etc/hostname")


def _tear_record(outbox: Path) -> None:
    (outbox / "beach" / "beach.json").write_text("{")


def _replace_record(outbox: Path) -> None:
    shutil.copy(outbox / "sub" / "pier" / "pier.json", outbox / "beach" / "beach.json")


def _link_record(outbox: Path) -> None:
    record = outbox / "beach" / "beach.json"
    shutil.move(record, outbox.parent / "beach.json")
    record.symlink_to(outbox.parent / "beach.json")


def _take_record(outbox: Path) -> None:
    (outbox / "beach" / "beach.json").unlink()


def _add_preview(outbox: Path) -> None:
    (outbox / "beach" / "preview" / "mine").mkdir(parents=True)


@pytest.mark.parametrize(
    "change",
    [
        *(_add_file, _add_link, _tear_record, _replace_record),
        *(_link_record, _take_record, _add_preview),
    ],
    ids=lambda change: change.__name__,
)
def test_a_folder_that_is_not_only_nstds_own_is_not_touched(root: Path, change: Any) -> None:
    """Whatever is in it: a person has to decide. The list says why it stays."""
    outbox = root / "outbox"
    change(outbox)
    before = set((outbox / "beach").rglob("*"))
    assert due(root, results="90d").get("beach", "no record") != ""
    assert expired(root, results="90d") == ["studies", "sub/pier"]
    assert set((outbox / "beach").rglob("*")) == before


def test_what_file_managers_and_killed_writers_leave_does_not_keep_a_folder(root: Path) -> None:
    """Else a look from a Mac or from Windows would keep it for ever."""
    beach, studies = root / "outbox" / "beach", root / "outbox" / "studies"
    for name in (".DS_Store", "._beach.png", "Thumbs.db", "desktop.ini", ".beach.json.tmp"):
        (beach / name).write_text("litter")
    (studies / ".sheet-4711.png").write_text("litter")
    assert expired(root, results="90d") == ["beach", "studies", "sub/pier"]


def test_a_batch_with_something_of_others_in_it_stays_whole(root: Path) -> None:
    """A folder without a record, or a file."""
    (root / "outbox" / "studies" / "mine").mkdir()
    assert due(root, results="90d")["studies"] == "mine in it has no record"
    assert expired(root, results="90d") == ["beach", "sub/pier"]
    assert len(names_in(root / "outbox" / "studies")) == 6


def test_a_batch_of_which_a_job_is_in_work_stays(root: Path) -> None:
    """Its failed members may have been put back."""
    manifest = json.loads((root / "outbox" / "studies" / "batch.json").read_text())
    live = root / "work" / ".batches" / manifest["id"]
    live.mkdir(parents=True)
    assert due(root, results="90d")["studies"] == "it is under way"
    assert expired(root, results="90d") == ["beach", "sub/pier"]


@pytest.mark.parametrize("link", ["sub", "failed", ".expired"])
def test_a_link_in_the_way_leads_nothing_out(root: Path, link: str) -> None:
    """Neither a folder of results nor the hidden one may be a link to somewhere else."""
    outbox, outside = root / "outbox", root / "outside"
    if (outbox / link).exists():
        shutil.move(outbox / link, outside)
    else:
        outside.mkdir()
        (outside / "1-abc123abc123").mkdir()
        (outside / "1-abc123abc123" / "mine").write_text("mine")
    (outbox / link).symlink_to(outside)
    before = sorted(outside.rglob("*"))
    try:
        expired(root, results="90d", failures="90d")
    except OSError as error:
        assert "symbolic link" in str(error)
    assert sorted(outside.rglob("*")) == before


def test_a_record_that_was_tampered_with_leads_nothing_out(root: Path) -> None:
    """Its paths are not used."""
    path = root / "outbox" / "beach" / "beach.json"
    record = json.loads(path.read_text())
    victim = root / "victim"
    victim.mkdir()
    (victim / "mine").write_text("mine")
    record |= {"name": "../../victim", "sidecar": "../../victim/mine", "job": record["job"]}
    path.write_text(json.dumps(record))
    expired(root, results="90d")
    record["output"]["file"] = "../../victim/beach.png"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record))
    expired(root, results="90d", size=0)
    assert (victim / "mine").read_text() == "mine"


def test_what_goes_is_moved_with_all_that_is_in_it(root: Path) -> None:
    """To the same path below the folder, with the times of the files."""
    there, outbox = root / "kept", root / "outbox"
    there.mkdir()
    limits: dict[str, Any] = {"results": "90d", "failures": "90d", "pictures": "90d"}
    files = [path for path in outbox.rglob("*") if path.is_file() and "logs" not in path.parts]
    before = {
        str(path.relative_to(outbox)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
        if "gallery" not in path.parts and path.name != "index.html"
    }
    assert len(expired(root, move_to=there, **limits)) == 6
    after = {
        str(path.relative_to(there)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in there.rglob("*")
        if path.is_file()
    }
    assert after == before
    assert not list(outbox.rglob("beach*"))


@pytest.mark.parametrize("name", ["beach", "archive/old.png"])
def test_what_lies_there_is_not_overwritten(root: Path, name: str) -> None:
    """What comes gets a number."""
    there = root / "kept"
    taken = there / name
    taken.mkdir(parents=True)
    (taken / "mine").write_text("mine")
    expired(root, move_to=there, results="90d", pictures="90d")
    assert (taken / "mine").read_text() == "mine"
    assert (taken.with_name({"beach": "beach-2"}.get(name, "old-2.png"))).exists()


def test_a_folder_that_is_not_there_is_never_made_and_nothing_goes(root: Path) -> None:
    """It may be that of a share that is not mounted."""
    there = root / "not-mounted"
    with pytest.raises(OSError, match="not there"):
        expired(root, move_to=there, results="90d")
    assert not there.exists()
    assert (root / "outbox" / "beach").exists()


def test_it_crosses_filesystems(root: Path, elsewhere: Path) -> None:
    """The folder may lie on another disk."""
    expired(root, move_to=elsewhere, results="90d", pictures="90d")
    assert {"beach.json", "beach.log", "beach.png"} <= set(names_in(elsewhere / "beach"))
    assert (elsewhere / "archive" / "old.png").read_bytes() == b"old.png"


def test_two_sweeps_do_not_work_at_once(root: Path) -> None:
    """The second is refused."""
    lock = Lock(root / "work" / "expire.lock")
    lock.acquire()
    try:
        with pytest.raises(StoreError, match="works on"):
            expired(root, results="90d")
    finally:
        lock.release()


def test_two_roots_may_move_to_one_folder_and_what_is_not_ours_there_is_left(root: Path) -> None:
    """Neither removes what the other is about to copy; the second result gets a number."""
    there, other = root / "kept", root.parent / "other"
    there.mkdir()
    shutil.copytree(root, other)
    record = other / "outbox" / "beach" / "beach.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"device": "cuda:7"}))
    (there / ".nstd-1-0123456789ab.tmp").mkdir()
    (root / "outbox" / ".expired" / "mine").mkdir(parents=True)
    expired(root, move_to=there, results="90d")
    expired(other, move_to=there, results="90d")
    assert {"beach", "beach-2", ".nstd-1-0123456789ab.tmp"} <= set(names_in(there))
    assert (root / "outbox" / ".expired" / "mine").exists()


@pytest.mark.parametrize("what", ["a file of a result", "a batch", "an archived picture"])
def test_what_changes_while_a_sweep_goes_on_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A sweep of thousands takes its time: each is looked at again before it goes."""
    outbox = root / "outbox"
    manifest = json.loads((outbox / "studies" / "batch.json").read_text())
    units = find_due(*_all(root))
    stays = {
        "a file of a result": "sub/pier",
        "a batch": "studies",
        "an archived picture": "archive/sub/older.png",
    }[what]
    gone = list[str]()

    def tell(unit: DueUnit) -> None:
        if not gone:
            if what == "a batch":
                (root / "work" / ".batches" / manifest["id"]).mkdir(parents=True)
            elif what == "a file of a result":
                (outbox / "sub" / "pier" / "notes.txt").write_text("mine")
            else:
                os.utime(outbox / "archive" / "sub" / "older.png")
        gone.append(unit.path)

    last = sorted(units, key=lambda unit: unit.path == stays)
    module = sys.modules["nstd.outbox.expiry.sweep"]
    monkeypatch.setattr(module, "find_due", lambda *given: last)
    sweep(root / "outbox", root / "work", *_limits(), tell)
    assert sorted(gone) == sorted({unit.path for unit in units} - {stays})
    assert (outbox / stays).exists()


def _limits() -> tuple[RetentionSettings, Files, float]:
    return RetentionSettings(size=0), Files(), time.time() + 100 * DAY
