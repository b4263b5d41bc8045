"""`nstd verify`: each kind of damage, made for real, is found, and what can be mended is mended."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.playground import Playground, on_a_terminal, wait_for

from nstd.client.verify import picture_reader
from nstd.client.verify.picture_reader import PictureReader
from nstd.outbox.gallery.entry_store import EntryStore
from nstd.system.durable import Files

Make = Callable[[Playground], None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a daemon that has made two results, a failure and a batch of two."""
    playground = Playground(tmp_path_factory.mktemp("made"), executor={"kind": "inline"})
    playground.pair("beach")
    playground.pair("sub/pier", output={"format": "jpg"})
    playground.pair("bad", options={"act": "raise"})
    playground.pair("studies", options={"steps": [1, 2]})
    assert playground.once().returncode == 0
    return playground.root


@pytest.fixture
def sound(playground: Playground, made: Path) -> Playground:
    """A copy of that root; nothing is wrong in it."""
    shutil.rmtree(playground.root)
    shutil.copytree(made, playground.root)
    playground.configure()
    return playground


def verify(playground: Playground, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and what `nstd verify --json` prints."""
    done = playground.command("verify", "--json", *arguments)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def total(playground: Playground) -> int:
    """How many entries the gallery has; 0 while its list is not there."""
    store = EntryStore(playground.outbox / "gallery", Files())
    return store.count if store.load() else 0


def edit_record(playground: Playground, **values: Any) -> None:
    """Change the record of `beach`."""
    path = playground.outbox / "beach" / "beach.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def cut_picture(playground: Playground) -> None:
    picture = playground.outbox / "beach" / "beach.png"
    picture.write_bytes(picture.read_bytes()[:-20])


def cut_picture_and_record(playground: Playground) -> None:
    """Of the length that the record says now: only decoding shows it."""
    picture = playground.outbox / "sub" / "pier" / "pier.jpg"
    picture.write_bytes(picture.read_bytes()[:-100])
    path = picture.with_suffix(".json")
    record = json.loads(path.read_text())
    record["output"]["bytes"] = picture.stat().st_size
    path.write_text(json.dumps(record))


def flip_byte(playground: Playground) -> None:
    """In the recipe inside the file, so that it can still be decoded."""
    picture = playground.outbox / "sub" / "pier" / "pier.jpg"
    data = picture.read_bytes()
    at = data.index(b"puppet")
    picture.write_bytes(data[:at] + b"Puppet" + data[at + 6 :])


def remove_picture(playground: Playground) -> None:
    (playground.outbox / "beach" / "beach.png").unlink()


def remove_record(playground: Playground) -> None:
    (playground.outbox / "beach" / "beach.json").unlink()


def tear_record(playground: Playground) -> None:
    path = playground.outbox / "beach" / "beach.json"
    path.write_bytes(path.read_bytes()[:200])


def put_record_of_another_job(playground: Playground) -> None:
    shutil.copy(playground.outbox / "sub/pier/pier.json", playground.outbox / "beach/beach.json")


def tear_reason(playground: Playground) -> None:
    (playground.outbox / "failed" / "bad" / "reason.json").write_text('{"job": ')


def remove_reason(playground: Playground) -> None:
    (playground.outbox / "failed" / "bad" / "reason.json").unlink()


def remove_sidecar(playground: Playground) -> None:
    (playground.outbox / "sub" / "pier" / "pier.yaml").unlink()


def remove_sidecar_of_failure(playground: Playground) -> None:
    (playground.outbox / "failed" / "bad" / "bad.yaml").unlink()


def remove_sidecar_of_batch(playground: Playground) -> None:
    (playground.outbox / "studies" / "studies.yaml").unlink()


def remove_preview(playground: Playground) -> None:
    (playground.outbox / "beach" / "preview" / "thumb.webp").unlink()


def remove_previews(playground: Playground) -> None:
    shutil.rmtree(playground.outbox / "sub" / "pier" / "preview")


def remove_copy(playground: Playground) -> None:
    (playground.outbox / "failed" / "bad" / "inputs" / "content.png").unlink()


def change_copy(playground: Playground) -> None:
    (playground.outbox / "failed" / "bad" / "inputs" / "style-1.png").write_bytes(b"other")


def remove_sheet(playground: Playground) -> None:
    (playground.outbox / "studies" / "sheet.png").unlink()


def tear_sheet(playground: Playground) -> None:
    sheet = playground.outbox / "studies" / "sheet.png"
    sheet.write_bytes(sheet.read_bytes()[:300])


def tear_manifest(playground: Playground) -> None:
    (playground.outbox / "studies" / "batch.json").write_text("{}")


def remove_manifest(playground: Playground) -> None:
    (playground.outbox / "studies" / "batch.json").unlink()


def remove_result_of_batch(playground: Playground) -> None:
    shutil.rmtree(playground.outbox / "studies" / "content-style-1")
    playground.command("gallery")


def remove_result(playground: Playground) -> None:
    shutil.rmtree(playground.outbox / "sub" / "pier")


def add_result(playground: Playground) -> None:
    """The daemon made it while its gallery could not be written."""
    playground.configure(gallery={"enabled": False})
    playground.pair("late")
    playground.once()
    playground.configure(gallery={"enabled": True})


def change_record(playground: Playground) -> None:
    edit_record(playground, device="cuda:7")


def remove_detail(playground: Playground) -> None:
    (job,) = (playground.outbox / "gallery" / "jobs").glob(f"{playground.record('beach')['job']}*")
    job.unlink()


def tear_page(playground: Playground) -> None:
    (page,) = (playground.outbox / "gallery" / "pages").glob("*.js")
    page.write_bytes(page.read_bytes()[:100])


def remove_list(playground: Playground) -> None:
    (playground.outbox / "gallery" / "list.js").unlink()


def add_work_folder(playground: Playground) -> None:
    (playground.work / "old-things").mkdir()


def add_torn_job(playground: Playground) -> None:
    folder = playground.work / "20261128-130622-c30005"
    folder.mkdir()
    (folder / "job.json").write_text("{")


def leave_stage(playground: Playground) -> None:
    (playground.outbox / ".staging" / "20261128-130622-c30005").mkdir(parents=True)


def link_picture(playground: Playground) -> None:
    """To the very same bytes, outside."""
    picture, secret = playground.outbox / "beach" / "beach.png", playground.folder / "secret.png"
    picture.rename(secret)
    picture.symlink_to(secret)


def link_record(playground: Playground) -> None:
    record, secret = playground.outbox / "beach" / "beach.json", playground.folder / "secret.json"
    record.rename(secret)
    record.symlink_to(secret)


def link_folder(playground: Playground) -> None:
    (playground.folder / "outside").mkdir()
    (playground.outbox / "elsewhere").symlink_to(playground.folder / "outside")


def link_sheet(playground: Playground) -> None:
    sheet, secret = playground.outbox / "studies" / "sheet.png", playground.folder / "secret.png"
    sheet.rename(secret)
    sheet.symlink_to(secret)


def link_job(playground: Playground) -> None:
    (playground.work / "20261128-130622-c30005").symlink_to(playground.folder)


DAMAGES: dict[Make, tuple[str, str]] = {
    cut_picture: ("picture_changed", "beach"),
    cut_picture_and_record: ("picture_unreadable", "sub/pier"),
    flip_byte: ("picture_changed", "sub/pier"),
    remove_picture: ("picture_missing", "beach"),
    remove_record: ("record_missing", "beach"),
    tear_record: ("record_torn", "beach"),
    put_record_of_another_job: ("record_foreign", "beach"),
    tear_reason: ("record_torn", "failed/bad"),
    remove_reason: ("record_missing", "failed/bad"),
    remove_sidecar: ("sidecar_missing", "sub/pier"),
    remove_sidecar_of_failure: ("sidecar_missing", "failed/bad"),
    remove_sidecar_of_batch: ("sidecar_missing", "studies"),
    remove_preview: ("view_missing", "beach/preview"),
    remove_previews: ("view_missing", "sub/pier/preview"),
    remove_copy: ("copy_missing", "failed/bad"),
    change_copy: ("copy_changed", "failed/bad"),
    tear_manifest: ("manifest", "studies"),
    remove_manifest: ("manifest", "studies"),
    remove_result_of_batch: ("member_missing", "studies"),
    add_work_folder: ("work_stray", "old-things"),
    add_torn_job: ("work_unreadable", "20261128-130622-c30005"),
    link_picture: ("link", "beach/beach.png"),
    link_record: ("link", "beach/beach.json"),
    link_folder: ("link", "elsewhere"),
    link_sheet: ("link", "studies"),
    link_job: ("link", "20261128-130622-c30005"),
}
"""What a person has to mend, with the kind and the end of the place that is told."""
MENDABLE: dict[Make, tuple[str, str]] = {
    remove_sheet: ("sheet", "studies"),
    tear_sheet: ("sheet", "studies"),
    remove_result: ("entry_stray", "sub/pier/pier.json"),
    add_result: ("entry_missing", "late/late.json"),
    change_record: ("entry_stale", "beach/beach.json"),
    remove_detail: ("gallery", ".js"),
    tear_page: ("gallery", "pages/1.js"),
    remove_list: ("gallery", "list.js"),
    leave_stage: ("leftover", "20261128-130622-c30005"),
}
"""What the recovery of a daemon could mend."""


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder with its bytes, but for the log."""
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if "logs" not in path.parts
    }


def test_nothing_is_wrong_with_what_a_daemon_has_made(sound: Playground) -> None:
    """Results, failures and batches are counted; the exit code is 0."""
    done = sound.command("verify")
    assert done.returncode == 0, done.stdout
    assert done.stdout == "4 results, 1 failure, 1 batch: nothing is wrong\n"


def test_hints_name_the_folder_of_the_inbox_and_know_an_empty_folder(sound: Playground) -> None:
    """A sidecar finds its pictures beside it; an empty folder has no sidecar to be put back."""
    (sound.outbox / "sub" / "pier" / "pier.json").write_text("{")
    (sound.work / "20261128-000000-abcdef").mkdir()
    done = sound.command("verify")
    assert "copy that into inbox/sub; then remove this folder" in done.stdout
    assert "rmdir" in done.stdout
    assert "nstd retry" not in done.stdout


@pytest.mark.parametrize("make", DAMAGES, ids=lambda make: make.__name__)
def test_a_damage_is_told_with_what_to_do_and_nothing_is_changed(
    sound: Playground, make: Make
) -> None:
    """Exit code 1."""
    make(sound)
    kind, place = DAMAGES[make]
    before = snapshot(sound.root)
    code, found = verify(sound)
    assert code == 1
    told = [each for each in found["wrong"] if each["kind"] == kind]
    assert [each["place"].endswith(place) for each in told] == [True]
    assert told[0]["message"] and told[0]["hint"]
    assert snapshot(sound.root) == before


def test_what_a_person_has_to_decide_is_not_repaired(sound: Playground) -> None:
    """It stays as it is, and is told again."""
    for make in (flip_byte, tear_record, remove_copy, tear_manifest, add_work_folder, link_folder):
        make(sound)
    sound.command("gallery")
    before = snapshot(sound.root)
    code, found = verify(sound, "--repair")
    assert (code, len(found["wrong"]), found["repaired"]) == (1, 6, [])
    assert snapshot(sound.root) == before


def test_a_result_that_never_had_previews_lacks_none(sound: Playground) -> None:
    """The gallery knows which there were."""
    remove_previews(sound)
    assert sound.command("gallery", "--rebuild").returncode == 0
    assert verify(sound) == (
        0,
        {"results": 4, "failures": 1, "batches": 1, "wrong": [], "repaired": []},
    )


@pytest.mark.parametrize("make", MENDABLE, ids=lambda make: make.__name__)
def test_what_a_daemon_could_mend_is_repaired(sound: Playground, make: Make) -> None:
    """Only with --repair; then nothing is wrong any more."""
    make(sound)
    kind, place = MENDABLE[make]
    before = snapshot(sound.root)
    code, found = verify(sound)
    assert code == 1
    assert (kind, True) in [
        (each["kind"], each["place"].endswith(place)) for each in found["wrong"]
    ]
    assert snapshot(sound.root) == before
    code, found = verify(sound, "--repair")
    assert (code, found["wrong"]) == (0, [])
    assert kind in {each["kind"] for each in found["repaired"]}


def test_the_text_for_people_has_a_line_of_what_and_one_of_what_to_do(sound: Playground) -> None:
    """And the hint can be pasted."""
    cut_picture(sound)
    done = sound.command("verify")
    assert done.returncode == 1
    wrong, hint, end = done.stdout.splitlines()
    assert re.fullmatch(r"wrong +beach its picture has \S+ instead of \S+", wrong)
    assert end == "4 results, 1 failure, 1 batch: 1 wrong"
    command = re.search(r"`nstd (.+?)`", hint)
    assert command
    assert sound.command(*command[1].split()).returncode == 0


def test_on_a_terminal_a_bar_shows_how_far_it_is(sound: Playground) -> None:
    """Of all folders of the outbox that it looks at."""
    drawn = on_a_terminal(sound, "verify", "-c", str(sound.config_path))
    assert "6 of 6 folders" in drawn
    assert "100%" in drawn


def test_a_picture_that_kills_or_stops_its_decoder_does_not_end_the_rest(
    sound: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is ended, and a new one reads the next picture."""
    monkeypatch.setattr(picture_reader, "_SECONDS", 3.0)
    with PictureReader(sound.outbox) as reader:
        first = reader.read("beach/beach.png")
        assert reader._process is not None
        reader._process.kill()
        assert reader.read("beach/beach.png").error == "its decoder crashed"
        assert reader.read("beach/beach.png") == first
        os.kill(reader._process.pid, 19)
        assert "took more than 3 s" in reader.read("sub/pier/pier.jpg").error
        assert not reader.read("sub/pier/pier.jpg").error


def test_only_results_since_a_day_are_looked_at(sound: Playground) -> None:
    """By the time of the record; a duration, or a date."""
    cut_picture(sound)
    os.utime(sound.outbox / "beach" / "beach.json", (1e9, 1e9))
    sound.command("gallery")
    assert verify(sound)[0] == 1
    for since in ("1d", "2020-01-01"):
        code, found = verify(sound, "--since", since)
        assert (code, found["results"]) == (0, 3)
    refused = sound.command("verify", "--since", "yesterday")
    assert refused.returncode == 2
    assert "'yesterday' is neither a duration like 7d nor a date like 2026-11-28" in refused.stderr


def test_beside_a_running_daemon_there_is_no_false_alarm(playground: Playground) -> None:
    """Jobs are claimed, end and are put into the gallery while it looks."""
    playground.start()
    for number in range(12):
        playground.pair(f"beach{number}", options={"steps": 3, "pause": 0.1})
    playground.pair("studies", options={"steps": [1, 2, 3]})
    counts = set[int]()

    def look() -> bool:
        code, found = verify(playground)
        assert (code, found["wrong"]) == (0, [])
        counts.add(found["results"])
        return bool(found["results"] == 15)

    wait_for(look, pause=0.2)
    assert len(counts) > 2, "it never looked while they were made"


def test_beside_a_running_daemon_damage_is_found_and_the_gallery_made_anew(
    sound: Playground,
) -> None:
    """It is the daemon that makes it."""
    for path in sound.outbox.rglob("*.json"):
        os.utime(path, (1.7e9, 1.7e9))
    sound.command("gallery")
    (sound.outbox / "gallery" / "now.js").unlink()
    sound.start()
    wait_for((sound.outbox / "gallery" / "now.js").exists)
    time.sleep(1)  # the daemon has looked through the outbox
    remove_result(sound)
    cut_picture(sound)
    code, found = verify(sound, "--repair")
    assert code == 1
    assert [each["kind"] for each in found["wrong"]] == ["picture_changed"]
    assert "entry_stray" in {each["kind"] for each in found["repaired"]}
    wait_for(lambda: total(sound) == 4)
