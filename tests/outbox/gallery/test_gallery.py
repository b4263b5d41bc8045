"""The files of the gallery: in line with the outbox, cheaply, and never in the way of a job."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.gallery import (
    config_of,
    detail,
    job_id,
    listed,
    names,
    now,
    put_failure,
    put_result,
)
from support.playground import Playground, wait_for

from nstd.outbox.gallery.build import build
from nstd.outbox.gallery.entry import record_of
from nstd.outbox.gallery.entry_store import PER_PAGE
from nstd.outbox.gallery.gallery_files import GalleryFiles
from nstd.system.durable import Files


def built(root: Path) -> Path:
    """The outbox of `root`, with its gallery in line."""
    build(config_of(root), rebuild=False)
    return root / "outbox"


# What the daemon does


def test_results_and_failures_are_shown_with_their_pictures(playground: Playground) -> None:
    """By a page, an entry each, a detail each, and small pictures beside the result."""
    playground.pair("sub/beach", options={"steps": 30})
    playground.pair("pier", options={"act": "raise"})
    assert playground.once().returncode == 0
    pier, beach = sorted(listed(playground.outbox), key=lambda entry: entry["state"])
    assert (beach["name"], beach["url"], beach["file"]) == ("beach", "sub/beach", "beach.png")
    assert beach["views"] == ["content", "result", "strip", "style-1", "thumb"]
    for view in beach["views"]:
        with Image.open(playground.outbox / beach["url"] / "preview" / f"{view}.webp") as image:
            image.load()
    assert detail(playground.outbox, beach["id"])["losses"]["step"][-1] == 30
    assert (pier["state"], pier["code"], pier["url"]) == ("failed", "backend_failed", "failed/pier")
    assert pier["views"] == ["content", "strip", "style-1"]
    assert "the puppet raises" in pier["message"]
    assert now(playground.outbox)["state"] == "stopped"
    assert b"<title>root</title>" in (playground.outbox / "index.html").read_bytes()


def test_a_running_job_is_shown_with_its_preview_and_then_no_longer(
    playground: Playground,
) -> None:
    """First with its content; what waits is named."""
    playground.configure(gallery={"every": "100ms"})
    playground.start()
    playground.pair("beach", options={"steps": 4000, "pause": 0.02})
    playground.pair("pier", priority=1)

    def shown() -> Any:
        running = now(playground.outbox)["running"] if playground.ended() == 0 else []
        return running[0] if running and running[0]["fraction"] else None

    wait_for((playground.outbox / "gallery" / "now.js").exists)
    job = wait_for(shown, what="a running job with progress")
    assert (job["name"], job["device"], job["styles"]) == ("beach", "cpu", ["style.png"])
    wait_for(lambda: ".jpg" in str(now(playground.outbox)["running"][0]["preview"]))
    with Image.open(playground.outbox / "gallery" / "now" / f"{job['id']}.jpg") as preview:
        preview.load()
    wait_for(lambda: [each["name"] for each in now(playground.outbox)["waiting"]] == ["pier"])
    assert playground.command("cancel", "beach").returncode == 0
    wait_for(lambda: names(playground.outbox) == ["beach", "pier"])
    wait_for(lambda: now(playground.outbox)["running"] == [])
    wait_for(lambda: not list((playground.outbox / "gallery" / "now").iterdir()))


def test_sidecars_that_wait_for_a_picture_are_shown(playground: Playground) -> None:
    """By their names and those of the pictures, in words, with the time."""
    playground.configure(gallery={"every": "100ms"})
    playground.sidecar("lost", content="absent.png")
    playground.start()
    wait_for((playground.outbox / "gallery" / "now.js").exists)
    (note,) = wait_for(lambda: list(now(playground.outbox)["notes"]))
    assert note["text"].startswith("lost.yaml waits for 'absent.png'")
    assert note["since"] > 1e12


def test_what_was_removed_by_hand_vanishes(playground: Playground) -> None:
    """At the next start, or soon; its detail goes with it."""
    for number in range(3):
        put_result(playground.outbox, number)
    playground.once()
    assert len(listed(playground.outbox)) == 3
    shutil.rmtree(playground.outbox / "beach-1")
    playground.once()
    assert names(playground.outbox) == ["beach-0", "beach-2"]
    assert not (playground.outbox / "gallery" / "jobs" / f"{job_id(1)}.js").exists()
    playground.hurry(gallery_scan=0.2)
    playground.configure(gallery={"every": "100ms"}, watch={"mode": "poll"})
    playground.start()
    wait_for(lambda: now(playground.outbox)["state"] == "running")
    shutil.rmtree(playground.outbox / "beach-0")
    wait_for(lambda: names(playground.outbox) == ["beach-2"])


def test_a_gallery_that_cannot_be_written_is_told_once_and_costs_no_job(
    playground: Playground,
) -> None:
    """With a code; it is there as soon as it can be written."""
    (playground.outbox / "gallery").write_text("a file of somebody")
    playground.hurry(gallery=0.2)
    playground.configure(gallery={"every": "100ms"})
    playground.start()
    for number in range(3):
        playground.pair(f"beach-{number}")
    wait_for(lambda: playground.ended() == 3)
    time.sleep(1)
    (told,) = playground.events("gallery.failed")
    assert told["code"] == "io_error"
    assert len(playground.events("job.finished")) == 3
    (playground.outbox / "gallery").unlink()
    wait_for((playground.outbox / "gallery" / "list.js").exists)
    wait_for(lambda: len(listed(playground.outbox)) == 3)


def test_a_bug_in_the_gallery_costs_no_job(playground: Playground) -> None:
    """It is told like any other trouble, and the loop goes on at its pace."""
    playground.sabotage(
        "import sys\n"
        "if 'run' in sys.argv:\n"
        "    import nstd.outbox.gallery.gallery_files as files\n"
        "    files.make_entry = lambda *_: 1 / 0\n"
    )
    playground.pair("beach")
    assert playground.once().returncode == 0
    (told,) = playground.events("gallery.failed")
    assert told["code"] == "internal_error"
    assert not playground.events("daemon.error")


def test_a_full_disk_is_told_as_such(playground: Playground) -> None:
    """And is nothing to stop for."""
    playground.sabotage(
        "import errno, sys\n"
        "if 'run' in sys.argv:\n"
        "    import nstd.outbox.gallery.page as page\n"
        "    def full(*_): raise OSError(errno.ENOSPC, 'full', 'index.html')\n"
        "    page.render = full\n"
    )
    playground.pair("beach")
    assert playground.once().returncode == 0
    assert [line["code"] for line in playground.events("gallery.failed")] == ["disk_full"]


def test_a_page_of_somebody_else_is_left_alone(playground: Playground) -> None:
    """Nothing of people's is ever overwritten."""
    (playground.outbox / "index.html").write_text("<h1>mine</h1>")
    playground.pair("beach")
    assert playground.once().returncode == 0
    assert (playground.outbox / "index.html").read_text() == "<h1>mine</h1>"
    (told,) = playground.events("gallery.failed")
    assert "not made by nstd" in told["error"]


def test_no_link_is_followed(playground: Playground) -> None:
    """One that leads out of the outbox would have us write there."""
    elsewhere = playground.folder / "elsewhere"
    elsewhere.mkdir()
    (playground.outbox / "gallery").symlink_to(elsewhere)
    playground.pair("beach")
    assert playground.once().returncode == 0
    assert not list(elsewhere.iterdir())
    assert playground.events("gallery.failed")


def test_a_gallery_that_is_off_leaves_nothing(playground: Playground) -> None:
    """No page, no data, no small pictures."""
    playground.configure(gallery={"enabled": False})
    playground.pair("beach")
    assert playground.once().returncode == 0
    assert not (playground.outbox / "index.html").exists()
    assert not (playground.outbox / "gallery").exists()
    assert not (playground.outbox / "beach" / "preview").exists()


def test_a_job_cannot_take_the_place_of_the_gallery(playground: Playground) -> None:
    """Its names are kept, as those of the failures and the logs are."""
    for name in ("gallery", "index.html"):
        playground.pair(name)
    playground.once()
    assert {entry["url"] for entry in listed(playground.outbox)} == {"gallery-2", "index.html-2"}


def test_a_view_that_cannot_be_made_costs_only_itself(playground: Playground) -> None:
    """The job ends with its picture, and its log says what is missing."""
    playground.sabotage(
        "import sys\n"
        "if 'nstd.executors.worker.main' in sys.orig_argv:\n"
        "    import nstd.images.thumbnails as views\n"
        "    views._TILE = -1\n"
    )
    playground.pair("beach")
    assert playground.once().returncode == 0
    told = [line["note"] for line in playground.events("job.noted")]
    assert [note.startswith("no preview of the strip") for note in told] == [False, True]
    assert "strip" not in listed(playground.outbox)[0]["views"]
    assert len(listed(playground.outbox)[0]["views"]) == 4


# What is there already


@pytest.mark.parametrize("left", ["", "nstd.page(1,[{", None])
@pytest.mark.parametrize("harm", ["list.js", "pages/1.js", f"jobs/{job_id(1)}.js"])
def test_what_is_torn_or_gone_is_made_again(tmp_path: Path, harm: str, left: str | None) -> None:
    """Whatever a power cut or a person has left of it; a detail is lost if it is empty."""
    for number in range(3):
        put_result(tmp_path / "outbox", number)
    outbox = built(tmp_path)
    before = listed(outbox)
    if left is None:
        (outbox / "gallery" / harm).unlink()
    else:
        (outbox / "gallery" / harm).write_text("" if harm.startswith("jobs") else left)
    built(tmp_path)
    assert sorted(listed(outbox), key=lambda entry: str(entry["id"])) == before
    assert detail(outbox, job_id(1))["seed"] == 7


def test_records_that_are_no_records_are_passed_over(tmp_path: Path) -> None:
    """Or shown with what they tell: people may write there."""
    outbox = tmp_path / "outbox"
    odd: list[bytes] = [
        b"",
        b"[]",
        b"{",
        b"null",
        b'{"name": 5, "inputs": [], "output": "x", "losses": {"a": 1}, "batch": []}',
        b'{"job": "../../../x", "losses": [1, {"total": "x", "step": true}], "seconds": 3}',
        b'{"inputs": {"styles": [{"file": 1}, 7], "content": 0}, "finished": "never"}',
        b'{"batch": {"id": "b", "axes": {"a": {}}, "of": "x"}, "settings": {"options": [1]}}',
        b'{"finished": "9999-12-31T23:59:59+00:00", "name": "\\ud800 \\u202e \\u0000"}',
        b'{"seconds": {"total": NaN}, "a": ' + b"[" * 100_000,
    ]
    for number, data in enumerate(odd):
        (outbox / f"odd-{number}").mkdir(parents=True)
        (outbox / f"odd-{number}" / f"odd-{number}.json").write_bytes(data)
    os.mkfifo(put_result(outbox, 1).parent / "odd-0" / "reason.json")
    (outbox / "link").mkdir()
    (outbox / "link" / "link.json").symlink_to(outbox / "beach-1" / "beach-1.json")
    built(tmp_path)
    assert "beach-1" in names(outbox)
    assert len(listed(outbox)) == 6
    assert all("/" not in entry["id"] for entry in listed(outbox))
    assert not (tmp_path / "x.js").exists()


def test_ids_of_a_page_that_was_tampered_with_name_no_other_files(tmp_path: Path) -> None:
    """Details are removed by these."""
    outbox = tmp_path / "outbox"
    put_result(outbox, 1)
    built(tmp_path)
    victim = outbox / "victim.js"
    victim.write_text("mine")
    page = outbox / "gallery" / "pages" / "1.js"
    page.write_text(page.read_text().replace(job_id(1), "../../victim"))
    shutil.rmtree(outbox / "beach-1")
    built(tmp_path)
    assert victim.exists()
    assert listed(outbox) == []


def test_only_the_page_that_changes_is_written(tmp_path: Path) -> None:
    """And of the details only that of the new result."""
    outbox = tmp_path / "outbox"
    for number in range(2 * PER_PAGE + 1):
        put_result(outbox, number)
    built(tmp_path)
    folder = outbox / "gallery"
    assert {path.name for path in (folder / "pages").iterdir()} == {"1.js", "2.js", "3.js"}
    before = {path: path.stat().st_ino for path in folder.rglob("*.js")}
    put_result(outbox, 2 * PER_PAGE + 1)
    built(tmp_path)
    after = {path: path.stat().st_ino for path in folder.rglob("*.js")}
    changed = {path.name for path in after if before.get(path) != after[path]}
    assert changed == {"3.js", f"{job_id(2 * PER_PAGE + 1)}.js", "list.js", "now.js"}


def test_names_of_all_kinds_lead_to_their_files(tmp_path: Path) -> None:
    """As addresses; nothing but ASCII is in the data."""
    outbox = tmp_path / "outbox"
    odd = ["a b", "50% #1?", "süß", "</script>", "javascript:alert(1)", os.fsdecode(b"\xff\xfe")]
    for number, name in enumerate(odd):
        put_result(outbox, number, f"sub {number}/{name}")
    built(tmp_path)
    for path in (outbox / "gallery").rglob("*.js"):
        assert path.read_bytes().isascii()
    assert len(listed(outbox)) == len(odd)
    for entry in listed(outbox):
        assert ":" not in entry["url"]
        assert (outbox / record_of(entry)).exists()
        assert (outbox / record_of(entry)).parent.joinpath("preview").is_dir()


# The command


def test_the_command_writes_it_without_a_daemon(playground: Playground) -> None:
    """And says where it is."""
    put_result(playground.outbox, 1)
    put_failure(playground.outbox, 2)
    done = playground.command("gallery")
    assert done.stdout.strip() == str(playground.outbox / "index.html")
    assert names(playground.outbox) == ["beach-1", "pier-2"]
    assert now(playground.outbox)["running"] == []


def test_rebuild_trusts_nothing_that_is_there(playground: Playground) -> None:
    """What does not belong there goes."""
    put_result(playground.outbox, 1)
    playground.command("gallery")
    page = playground.outbox / "gallery" / "pages" / "1.js"
    page.write_text(page.read_text().replace("beach-1", "forged!"))
    stray = playground.outbox / "gallery" / "jobs" / "stray.js"
    stray.write_text("")
    assert playground.command("gallery").returncode == 0
    assert playground.command("gallery", "--rebuild").returncode == 0
    assert names(playground.outbox) == ["beach-1"]
    assert not stray.exists()


def test_a_running_daemon_rebuilds_it_itself(playground: Playground) -> None:
    """Two do not write the same files."""
    playground.configure(gallery={"every": "100ms"}, watch={"mode": "poll"})
    put_result(playground.outbox, 1)
    playground.start()
    wait_for((playground.outbox / "gallery" / "now.js").exists)
    page = playground.outbox / "gallery" / "pages" / "1.js"
    wait_for(page.exists)
    page.unlink()
    done = playground.command("gallery", "--rebuild")
    assert "the daemon" in done.stderr
    wait_for(lambda: page.exists() and names(playground.outbox) == ["beach-1"])


def test_the_recipe_is_a_sidecar_that_makes_the_same_picture(playground: Playground) -> None:
    """It passes `nstd check`, and the daemon takes it."""
    playground.picture("style-2.png", color="navy")
    playground.pair(
        "beach",
        style=[{"image": "style.png", "weight": 0.7}, {"image": "style-2.png", "scale": 1.5}],
        output={"name": 'it\'s: a "beach" #1', "size": 24},
        options={"steps": 3},
    )
    playground.once()
    (entry,) = listed(playground.outbox)
    text = detail(playground.outbox, entry["id"])["sidecar"]
    (playground.inbox / "again.yaml").write_text(text)
    assert playground.command("check", str(playground.inbox / "again.yaml")).returncode == 0
    playground.once()
    first, second = sorted(listed(playground.outbox), key=lambda each: each["when"])
    pictures = []
    for entry in (first, second):
        with Image.open(playground.outbox / entry["at"] / f"{entry['at']}.png") as image:
            pictures.append(image.tobytes())
    assert pictures[0] == pictures[1]
    records = [playground.record(entry["at"]) for entry in (first, second)]
    assert records[0]["settings"] == records[1]["settings"]
    assert records[0]["inputs"] == records[1]["inputs"]


# Many


@pytest.mark.parametrize("count", [1_500, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(1800)
def test_many_results_are_taken_in_little_by_little(
    tmp_path: Path, count: int, record_property: Callable[[str, object], None]
) -> None:
    """In steps that hold nobody up; one more then costs as little as among few."""
    outbox = tmp_path / "outbox"
    for number in range(count):
        put_result(outbox, number)
    album = GalleryFiles(config_of(tmp_path), Files())
    album.open()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    steps = [time.monotonic()]
    steps += [time.monotonic() for _ in album.refresh()]
    album.add([])
    whole = time.monotonic() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    longest = max(later - earlier for earlier, later in itertools.pairwise(steps))
    updates = []
    for number in range(count, count + 20):
        record = put_result(outbox, number) / f"beach-{number}.json"
        began = time.monotonic()
        album.add([record])
        updates.append(time.monotonic() - began)
    began = time.monotonic()
    for _ in album.refresh():
        pass
    again = time.monotonic() - began
    figures = {
        "first build": whole,
        "its longest step": longest,
        "MiB": grown,
        "an update": statistics.median(updates),
        "a look at what is known": again,
    }
    print(count, {name: round(value, 4) for name, value in figures.items()})
    for name, value in figures.items():
        record_property(name, value)
    assert len(listed(outbox)) == count + 20
    assert len(steps) > count
    assert grown < 64
