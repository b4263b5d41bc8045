"""A finished job is made once more from its record, with changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from support.disk import names_in
from support.playground import Playground

from nstd.client import picture_search
from nstd.system.nofollow import Folder


def made(playground: Playground, name: str = "sub/beach", **wishes: Any) -> dict[str, Any]:
    """A finished job; its record."""
    playground.pair(name, **wishes)
    assert playground.once().returncode == 0
    return playground.record(name)


def said(path: Path) -> dict[str, Any]:
    """What a sidecar says."""
    values: dict[str, Any] = yaml.safe_load(path.read_text())
    return values


def test_a_finished_job_is_made_again_as_a_new_result_with_all_its_settings(
    playground: Playground,
) -> None:
    """Also those that the config gave, and has no more; it works without a daemon."""
    playground.configure(backends={"puppet": {"steps": 3}}, jobs={"format": "jpg"})
    before = made(playground, priority=80, timeout="9m", output={"size": 20})
    playground.configure(backends={"puppet": {"steps": 1}}, jobs={"format": "png"})
    done = playground.command("again", "beach")
    sidecar = playground.inbox / "sub" / "beach.yaml"
    assert done.stdout == f"submitted {sidecar}\n"
    assert "nstd run" in done.stderr
    playground.once()
    after = playground.record("sub/beach-2")
    assert after["settings"] == before["settings"]
    assert after["inputs"] == before["inputs"]
    pixels = []
    for name in ("beach", "beach-2"):
        with Image.open(playground.outbox / "sub" / name / f"{name}.jpg") as picture:
            pixels.append(picture.tobytes())
    assert pixels[0] == pixels[1]


def test_changes_are_laid_over_the_record_and_a_name_of_ones_own(playground: Playground) -> None:
    """One option is changed, the others stay."""
    made(playground, "beach", options={"steps": 3})
    changes = ("--size", "16", "-o", "options.pause=0.001", "--name", "striped")
    done = playground.command("again", "beach", *changes)
    assert done.returncode == 0, done.stderr
    playground.once()
    after = playground.record("striped")
    assert after["settings"]["options"]["steps"] == 3
    assert after["settings"]["options"]["pause"] == 0.001
    assert after["output"]["width"] == 16


def test_wait_follows_a_job_that_is_made_again_in_its_folder(playground: Playground) -> None:
    """Its sidecar lies where the first one did, below the inbox."""
    made(playground)
    playground.start()
    done = playground.command("again", "beach", "--name", "striped", "--wait")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{playground.outbox / 'sub' / 'striped' / 'striped.png'}\n"


def test_a_change_that_is_not_valid_leaves_the_inbox_as_it_was(playground: Playground) -> None:
    """It is refused as `nstd submit` refuses it."""
    made(playground, "beach")
    before = names_in(playground.inbox)
    done = playground.command("again", "beach", "-o", "stepps=3")
    assert done.returncode == 1
    assert "[options_invalid]" in done.stderr
    assert names_in(playground.inbox) == before


@pytest.mark.parametrize("where", ["inbox", "library", "archive"])
def test_a_picture_is_found_by_its_bytes_wherever_it_lies(
    playground: Playground, where: str
) -> None:
    """Under another name and in another folder; beside others of the same size."""
    before = made(playground)
    folders = {
        "inbox": playground.inbox / "elsewhere",
        "library": playground.styles,
        "archive": playground.outbox / "archive" / "sub",
    }
    place = folders[where] / "renamed.png"
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(playground.inbox / "sub" / "content.png", place)
    decoy = bytearray(place.read_bytes())
    decoy[-1] ^= 1
    (place.parent / "a-decoy.png").write_bytes(decoy)
    assert playground.command("again", "beach").returncode == 0
    assert place.exists()
    playground.once()
    after = playground.record("sub/beach-2")
    assert after["inputs"]["content"]["sha256"] == before["inputs"]["content"]["sha256"]
    name = {"inbox": "../elsewhere/renamed.png", "library": "renamed.png"}
    assert after["inputs"]["content"]["file"] == name.get(where, "../content.png")


def test_a_file_of_the_same_name_and_other_bytes_is_not_taken(playground: Playground) -> None:
    """Somebody put another picture there: the recorded one is copied beside it."""
    made(playground, "beach")
    archive = playground.outbox / "archive"
    archive.mkdir()
    shutil.move(playground.inbox / "content.png", archive / "content.png")
    other = playground.picture("content.png", color="red").read_bytes()
    assert playground.command("again", "beach").returncode == 0
    assert said(playground.inbox / "beach.yaml")["content"] == "content-2.png"
    assert (playground.inbox / "content.png").read_bytes() == other


@pytest.mark.parametrize("action", ["archive", "delete"])
def test_a_job_made_again_leans_on_no_picture_that_is_about_to_go(
    playground: Playground, action: str
) -> None:
    """Another job may be done with a picture of the inbox: this one gets copies of its own."""
    made(playground, "beach")
    playground.configure(jobs={"pictures": action})
    assert playground.command("again", "beach").returncode == 0
    assert said(playground.inbox / "beach.yaml")["content"] == "content-2.png"
    playground.once()
    assert playground.record("beach-2")
    assert not (playground.inbox / "content-2.png").exists()


def test_the_name_of_a_missing_picture_is_told_with_the_places_that_were_searched(
    playground: Playground,
) -> None:
    """All that are missing; and nothing is put into the inbox."""
    made(playground)
    for path in playground.inbox.glob("sub/*.png"):
        path.write_bytes(path.read_bytes()[:-1])
    before = names_in(playground.inbox / "sub")
    done = playground.command("again", "beach")
    assert done.returncode == 1
    assert "[picture_missing]" in done.stderr
    for words in ("'content.png'", "'style.png'", str(playground.inbox), str(playground.styles)):
        assert words in done.stderr
    assert names_in(playground.inbox / "sub") == before


def test_only_files_of_the_right_size_are_read(
    playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among thousands of pictures in the archive, few are hashed."""
    made(playground)
    archive = playground.outbox / "archive"
    archive.mkdir()
    shutil.move(playground.inbox / "sub" / "content.png", archive / "zebra.png")
    for number in range(50):
        (archive / f"{number}.png").write_bytes(b"x" * (10_000 + number))
    read, digest = list[str](), picture_search._digest

    def note(root: Folder, name: str) -> str | None:
        read.append(name)
        return digest(root, name)

    monkeypatch.setattr(picture_search, "_digest", note)
    assert playground.command("again", "beach").returncode == 0
    assert "zebra.png" in read
    assert len(read) < 6


def test_a_failed_job_is_for_retry_unless_something_changes(playground: Playground) -> None:
    """Then it is made of the copies that the failure kept, and the failure stays."""
    playground.pair("beach", options={"act": "raise"})
    playground.once()
    refused = playground.command("again", "beach")
    assert refused.returncode == 1
    assert "`nstd retry` runs it again" in refused.stderr
    for path in playground.inbox.glob("*.png"):
        path.unlink()
    done = playground.command("again", "beach", "-o", "act=nothing")
    assert done.returncode == 0, done.stderr
    playground.once()
    assert playground.record("beach")["output"]["width"] == 32
    assert playground.reason("beach")["code"] == "backend_failed"


def test_a_refused_sidecar_is_for_correction(playground: Playground) -> None:
    """It has no pictures that could be found."""
    playground.pair("beach", options={"stepps": 1})
    playground.once()
    done = playground.command("again", "beach", "--size", "16")
    assert done.returncode == 1
    assert "correct its sidecar there and run `nstd retry`" in done.stderr


def test_another_backend_takes_no_options_of_the_old_one(playground: Playground) -> None:
    """They mean nothing there."""
    made(playground, "beach", options={"steps": 3})
    done = playground.command("again", "beach", "-o", "backend=color-transfer")
    assert done.returncode == 0, done.stderr
    assert "options" not in said(playground.inbox / "beach.yaml")


def test_a_member_of_a_batch_is_made_again_alone(playground: Playground) -> None:
    """Beside the batch, which stays as it is."""
    playground.pair("sub/studies", options={"steps": [1, 2]})
    playground.once()
    (manifest,) = playground.outbox.glob("sub/studies/batch.json")
    before = manifest.read_bytes()
    assert playground.command("again", "sub/studies/content-style-2").returncode == 0
    playground.once()
    assert playground.record("sub/content-style-2")["settings"]["options"]["steps"] == 2
    assert manifest.read_bytes() == before


def test_a_mix_with_masks_and_a_start_is_made_again_whole(playground: Playground) -> None:
    """Weights, scales, region, mask and init, each with its own picture."""
    colors = {"one": "navy", "two": "orange", "mask": "white", "start": "gray"}
    for name, color in colors.items():
        playground.picture(f"{name}.png", color=color)
    styles = [
        {"image": "one.png", "weight": 0.7, "scale": 2.0, "region": "mask.png"},
        {"image": "two.png", "weight": 0.3, "mask": "mask.png", "region": "mask.png"},
    ]
    gatys = {"backend": "gatys", "options": {"steps": 2}}
    before = made(playground, "mix", style=styles, init="start.png", **gatys)
    assert playground.command("again", "mix").returncode == 0
    playground.once()
    after = playground.record("mix-2")
    assert after["inputs"] == before["inputs"]
    assert after["seed"] == before["seed"]


@pytest.mark.parametrize(
    "change",
    [
        {"sidecar": "../../outside/x.yaml"},
        {"name": "../evil"},
        {"inputs": {"content": {"file": "../../etc/passwd", "bytes": 1, "sha256": "0" * 64}}},
        {"settings": {"backend": "no\nsuch"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_record_that_was_tampered_with_leads_nowhere(
    playground: Playground, change: dict[str, Any]
) -> None:
    """Anyone who may write to the outbox can change it."""
    record = made(playground, "beach")
    path = playground.outbox / "beach" / "beach.json"
    for key, value in change.items():
        kept = record[key] if isinstance(value, dict) else None
        path.write_text(json.dumps(record | {key: {**kept, **value} if kept else value}))
    before = {path for path in playground.root.rglob("*") if "logs" not in path.parts}
    done = playground.command("again", "beach")
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    after = {path for path in playground.root.rglob("*") if "logs" not in path.parts}
    assert after == before
    assert not (playground.folder / "outside").exists()


def test_a_link_in_the_place_of_a_picture_is_not_followed(playground: Playground) -> None:
    """Its target has the right bytes, and is somebody's own."""
    made(playground, "beach")
    secret = playground.folder / "secret.png"
    shutil.move(playground.inbox / "content.png", secret)
    (playground.inbox / "content.png").symlink_to(secret)
    done = playground.command("again", "beach")
    assert done.returncode == 1
    assert "'content.png'" in done.stderr
