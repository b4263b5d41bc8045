"""Folders with a recipe: every picture becomes a job once, on a clock that the test moves."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.claims import never
from support.disk import Killed, StepFiles, names_in
from support.recipes import SETTLE, RecipeDesk

from nstd.backends.registry import Backends
from nstd.client.status import read_status
from nstd.intake.claim import ABANDONED_AFTER
from nstd.queue.batch import Batch


@pytest.fixture
def desk(tmp_path: Path) -> RecipeDesk:
    """An empty root."""
    return RecipeDesk(tmp_path)


def of(logged: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    """The events of one name."""
    return [each for each in logged if each["event"] == event]


# Which pictures


def test_every_picture_in_the_folder_and_below_becomes_a_job(desk: RecipeDesk) -> None:
    """The nearest recipe counts; what lies elsewhere is nobody's."""
    desk.recipe("starry")
    desk.recipe("starry/cold", "style: s.png\noptions: {a: 1}\n")
    for name in ("starry/a.jpg", "starry/2024/b.JPG", "starry/cold/deep/c.png", "other/d.png"):
        desk.drop(name)
    assert desk.make() == ["starry/2024/b.yaml", "starry/a.yaml", "starry/cold/deep/c.yaml"]
    assert "options" not in desk.sidecar("starry/2024/b.yaml")
    assert "options" in desk.sidecar("starry/cold/deep/c.yaml")


def test_a_picture_is_taken_when_it_has_settled(desk: RecipeDesk) -> None:
    """Not while it is copied; the recipe may ask for longer than the config."""
    desk.recipe(text="style: s.png\nwhen: {settle: 30s}\n")
    path = desk.drop("starry/a.png", "half")
    assert desk.settled() == []
    assert desk.look(19) == []
    path.write_text("all of it")
    assert desk.look(1) == []
    assert desk.look(29) == []
    assert [ready.name for ready in desk.look(1)] == ["starry/a.png"]


def test_what_a_recipe_names_is_no_content(desk: RecipeDesk) -> None:
    """Styles, masks and init, also those with the name of a picture, also from another folder."""
    text = (
        'styles: [s.png, [{image: t.png, region: "masks/{picture}.png", mask: m.png}]]\n'
        'init: "{picture}-init.png"\n'
    )
    desk.recipe(text=text)
    desk.drop("other/recipe.yaml", "style: ../starry/u.png\n")
    for leaf in ("t.png", "m.png", "masks/a.png", "a-init.png", "a.png", "u.png", "u-init.png"):
        desk.drop(f"starry/{leaf}")
    assert desk.settled() == ["starry/a.png"]


def test_a_mask_for_each_picture_is_waited_for(desk: RecipeDesk) -> None:
    """A picture without its mask stays, and people are told; it does not fail."""
    desk.recipe(text='style: {image: s.png, region: "masks/{picture}.png"}\n')
    desk.drop("starry/a.png")
    desk.drop("starry/masks/b.png")
    desk.drop("starry/b.png")
    assert desk.settled() == ["starry/b.png"]
    assert "masks/a.png" in desk.notes()["starry/a.png"]
    assert desk.inbox.pending == 1
    desk.drop("starry/masks/a.png")
    assert desk.make() == ["starry/a.yaml", "starry/b.yaml"]
    assert yaml.safe_load(desk.sidecar("starry/a.yaml"))["style"]["region"] == "masks/a.png"


def test_match_and_skip_narrow_a_recipe(desk: RecipeDesk) -> None:
    """Upper case is the same; with a slash, a pattern is about the path."""
    desk.recipe(text='style: s.png\nmatch: "*.jpg"\nskip: ["*-draft.*", "old/*"]\n')
    for leaf in ("a.JPG", "b.png", "c-draft.jpg", "old/d.jpg", "new/e.jpg"):
        desk.drop(f"starry/{leaf}")
    assert desk.settled() == ["starry/a.JPG", "starry/new/e.jpg"]


@pytest.mark.parametrize(
    "leaf",
    [
        *("IMG_1.xmp", "IMG_1.jpg.xmp", "IMG_1.AAE", "IMG_1.THM", "IMG_1.jpg.json", "notes.txt"),
        *(".DS_Store", "Thumbs.db", "ehthumbs.db", "desktop.ini", "._IMG_1.jpg"),
        *(".~lock.IMG_1.jpg#", "IMG_1.jpg.lock", "~$IMG_1.jpg", "IMG_1.jpg.part", "IMG_1.jpg~"),
        *("~syncthing~IMG_1.jpg.tmp", ".syncthing.IMG_1.jpg.tmp", ".stfolder/IMG_1.jpg"),
        *("IMG_1.sync-conflict-20240101-120000-ABCDEFG.jpg", ".IMG_1.jpg.~4a2f"),
        *("IMG_1 (conflicted copy 2024-01-01 120000).jpg", "IMG_1.jpg.1a2b3c4d.partial"),
        *("__MACOSX/IMG_1.jpg", "@eaDir/IMG_1.jpg/SYNOFILE_THUMB_M.jpg", ".thumbnails/IMG_1.jpg"),
    ],
)
def test_what_programs_leave_beside_pictures_is_passed_over_quietly(
    desk: RecipeDesk, logged: list[dict[str, Any]], leaf: str
) -> None:
    """Cameras, macOS, Windows, Syncthing, Nextcloud, rclone: no job, no note, no line."""
    desk.recipe()
    desk.drop(f"starry/{leaf}")
    assert desk.settled() == []
    assert desk.inbox.pending == 0
    assert desk.notes() == {}
    assert {each["event"] for each in logged} == {"recipe.loaded"}


def test_films_are_contents_but_for_those_that_telephones_put_beside_pictures(
    desk: RecipeDesk,
) -> None:
    """IMG_1.MOV is the moving part of IMG_1.JPG; IMG_2.MOV is a film."""
    desk.recipe()
    for leaf in ("IMG_1.JPG", "IMG_1.MOV", "IMG_2.MOV", "clip.mp4"):
        desk.drop(f"starry/{leaf}")
    assert desk.settled() == ["starry/IMG_1.JPG", "starry/IMG_2.MOV", "starry/clip.mp4"]
    assert desk.notes() == {}


@pytest.mark.parametrize("leaf", ["IMG_1234-2.jpg", "_DSC0001.JPG", "IMG_1 (1).jpeg", "été #2.png"])
def test_the_names_that_programs_export_are_pictures(desk: RecipeDesk, leaf: str) -> None:
    """A number, an underscore or a space is no reason to pass a picture over."""
    desk.recipe()
    desk.drop(f"starry/{leaf}")
    assert desk.settled() == [f"starry/{leaf}"]


def test_raw_files_are_named_once(desk: RecipeDesk, logged: list[dict[str, Any]]) -> None:
    """A card of a camera is no hundred failures: one line for each folder and kind."""
    desk.recipe()
    for number in range(20):
        desk.drop(f"starry/DSC_{number}.NEF")
        desk.drop(f"starry/IMG_{number}.heic")
    assert desk.settled() == []
    reasons = sorted(each["reason"] for each in of(logged, "picture.passed_over"))
    assert [reason.split(",")[0] for reason in reasons] == ["is HEIC", "is camera raw"]
    assert len(desk.notes()) == 2


def test_a_name_that_no_sidecar_can_hold_is_passed_over_and_told_once(
    desk: RecipeDesk, logged: list[dict[str, Any]]
) -> None:
    """It does not make the recipe wrong for the others."""
    desk.recipe()
    desk.drop("starry/two\nlines.png")
    desk.drop(os.fsdecode(b"starry/\xff.png"), "x")
    desk.drop("starry/a.png")
    assert desk.make() == ["starry/a.yaml"]
    ((name, note),) = desk.notes().items()
    assert name in {r"starry/two\x0alines.png", r"starry/\udcff.png", r"starry/\xff.png"}
    assert note.startswith("is passed over: its name ")
    assert note.endswith(": rename it (1 more like it there)")
    (line,) = of(logged, "picture.passed_over")
    assert line["path"] == name


def link(path: Path) -> None:
    """A link to a picture elsewhere."""
    elsewhere = path.parent.parent.parent / "elsewhere.png"
    elsewhere.write_text("elsewhere")
    path.symlink_to(elsewhere)


def folder_link(path: Path) -> None:
    """A link to a folder."""
    path.with_suffix("").symlink_to(path.parent.parent.parent)


def deep(path: Path) -> None:
    """A picture that lies too deep to be seen."""
    far = path.parent.joinpath(*"abcdefghijklmnopq", path.name)
    far.parent.mkdir(parents=True)
    far.write_text("deep")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (link, "is a symbolic link: copy the picture itself there"),
        (folder_link, "is a symbolic link: copy the picture itself there"),
        (os.mkfifo, "is a FIFO: copy the picture itself there"),
        (deep, "is not read: it lies more than 16 folders deep"),
        (
            lambda path: path.with_suffix(".yaml.txt").touch(),
            "is no sidecar, as its name does not end in .yaml: rename it to 'odd.yaml'",
        ),
    ],
)
def test_what_looks_like_a_picture_and_is_none_is_told_once(
    desk: RecipeDesk, logged: list[dict[str, Any]], make: Any, reason: str
) -> None:
    """In the log and in status, with a daemon and without; the others are made."""
    desk.recipe()
    desk.drop("starry/a.png")
    make(desk.folder / "starry" / "odd.png")
    assert desk.make() == ["starry/a.yaml"]
    desk.look(SETTLE)
    assert list(desk.notes().values()) == [reason]
    (line,) = of(logged, "picture.passed_over")
    assert line["reason"] == reason
    notes = {note.name: note.message for note in read_status(desk.config).notes}
    assert notes[line["path"]] == reason


# Sidecars in the folder


def test_a_sidecar_beside_a_picture_wins(desk: RecipeDesk) -> None:
    """Nor are its other pictures contents, neither before nor after its job."""
    desk.recipe()
    for leaf in ("beach.jpg", "scream.jpg", "a.jpg"):
        desk.drop(f"starry/{leaf}")
    desk.drop("starry/beach.yaml", "content: beach.jpg\nstyle: scream.jpg\n")
    assert desk.make() == ["starry/a.yaml", "starry/beach.yaml"]
    assert yaml.safe_load(desk.sidecar("starry/beach.yaml"))["style"] == "scream.jpg"
    assert desk.make() == []
    assert RecipeDesk(desk.root).make() == []


def test_a_sidecar_that_is_not_read_yet_is_waited_for(desk: RecipeDesk) -> None:
    """It may name any of the pictures; its own settling holds the others up."""
    desk.recipe()
    desk.drop("starry/beach.jpg")
    desk.look()
    desk.look(4)
    desk.drop("starry/beach.yaml", "content: beach.jpg\nstyle: s.png\n")
    desk.look(1)
    assert desk.look(4) == []
    assert desk.look(1) == []  # now the sidecar is read, and its pictures are seen
    assert [ready.name for ready in desk.look(SETTLE)] == ["starry/beach.yaml"]


def test_a_sidecar_that_comes_later_is_a_job_of_its_own(desk: RecipeDesk) -> None:
    """The picture was kept, so it can be named once more."""
    desk.recipe()
    desk.drop("starry/beach.jpg")
    assert desk.make() == ["starry/beach.yaml"]
    desk.drop("starry/later.yaml", "content: beach.jpg\nstyle: s.png\n")
    assert desk.make() == ["starry/later.yaml"]


def test_a_sidecar_that_comes_too_late_is_told_who_took_its_picture(desk: RecipeDesk) -> None:
    """Where pictures are not kept, it waits for one that has gone."""
    desk.recipe(text="style: s.png\npictures: delete\n")
    desk.drop("starry/beach.jpg")
    assert desk.make() == ["starry/beach.yaml"]
    desk.drop("starry/later.yaml", "content: beach.jpg\nstyle: s.png\n")
    assert desk.make() == []
    desk.look(SETTLE)
    (late,) = desk.look(2 * 86400)
    assert late.error is not None
    assert late.error.code == "picture_missing"
    assert "was taken by starry/recipe.yaml (pictures: delete)" in late.error.message


# The recipe itself


def test_a_changed_recipe_holds_for_pictures_that_come_from_then_on(desk: RecipeDesk) -> None:
    """It is not consumed, and what is made is not made again."""
    path = desk.recipe()
    desk.drop("starry/a.png")
    assert desk.make() == ["starry/a.yaml"]
    path.write_text("style: t.png\noutput: {size: 64}\n")
    desk.drop("starry/t.png")
    desk.drop("starry/b.png")
    assert desk.make() == ["starry/b.yaml"]
    assert yaml.safe_load(desk.sidecar("starry/b.yaml")) == {
        "content": "b.png",
        "style": "t.png",
        "output": {"size": 64},
    }
    assert path.exists()


def test_an_invalid_recipe_stays_and_its_pictures_wait(
    desk: RecipeDesk, logged: list[dict[str, Any]]
) -> None:
    """One line for each change, with line and column; nothing falls to the recipe above it."""
    desk.recipe()
    path = desk.recipe("starry/cold", "style: s.png\nprioriti: 3\n")
    desk.drop("starry/cold/a.png")
    assert desk.make() == []
    desk.look(100)
    (line,) = of(logged, "recipe.invalid")
    assert line["message"].startswith("starry/cold/recipe.yaml:2:1: unknown key 'prioriti'")
    assert ":2:1:" in desk.notes()["starry/cold/recipe.yaml"]
    assert desk.inbox.pending == 0
    assert [(s.folder, s.waiting, bool(s.error)) for s in desk.inbox.folders.states] == [
        ("starry", 0, False),
        ("starry/cold", 2, True),  # which of them is the style is not known
    ]
    path.write_text("style: s.png\npriority: 300\n")
    assert desk.make() == []
    assert len(of(logged, "recipe.invalid")) == 2
    path.write_text("style: s.png\npriority: 3\n")
    assert desk.make() == ["starry/cold/a.yaml"]


def test_a_recipe_with_a_content_says_what_it_is(
    desk: RecipeDesk, logged: list[dict[str, Any]]
) -> None:
    """Somebody has called a sidecar so."""
    desk.recipe(text="content: a.png\nstyle: s.png\n")
    desk.drop("starry/a.png")
    assert desk.make() == []
    (line,) = of(logged, "recipe.invalid")
    assert line["message"].startswith("starry/recipe.yaml:1:1: content: a recipe has none")


def test_a_recipe_at_the_top_of_the_inbox_is_refused(
    desk: RecipeDesk, logged: list[dict[str, Any]]
) -> None:
    """`nstd submit` drops pictures there, before their sidecars."""
    for name in ("recipe.yaml", "s.png", "a.png"):
        desk.drop(name, "style: s.png\n")
    assert desk.make() == []
    (line,) = of(logged, "recipe.invalid")
    assert "sub-folder" in line["message"]
    assert "sub-folder" in desk.notes()["recipe.yaml"]


def test_who_removes_a_recipe_is_told_what_waits(
    desk: RecipeDesk, logged: list[dict[str, Any]]
) -> None:
    """Once in the log, and by status until there is another; one that is replaced says nothing."""
    path = desk.recipe()
    for leaf in ("a", "b"):
        desk.drop(f"starry/{leaf}.png")
    assert len(desk.make()) == 2
    path.unlink()
    desk.look()
    path.write_text("style: s.png\n")
    desk.settled()
    assert of(logged, "recipe.gone") == []
    path.unlink()
    desk.drop("starry/c.png")
    for _ in range(2):
        desk.settled()
        assert desk.notes()["starry/recipe.yaml"] == (
            "was removed, and 1 file waits: `nstd recipe starry STYLE` makes one"
        )
    (line,) = of(logged, "recipe.gone")
    assert (line["recipe"], line["pictures"]) == ("starry/recipe.yaml", 1)
    path.write_text("style: s.png\n")
    assert desk.make() == ["starry/c.yaml"]
    assert "starry/recipe.yaml" not in desk.notes()


def test_a_folder_that_goes_with_its_recipe_is_not_told(
    desk: RecipeDesk, logged: list[dict[str, Any]]
) -> None:
    """Nor one whose pictures are all made."""
    desk.recipe()
    desk.drop("starry/a.png")
    desk.make()
    shutil.rmtree(desk.folder / "starry")
    path = desk.recipe("waves")
    desk.drop("waves/b.png")
    desk.make()
    path.unlink()
    desk.settled()
    desk.settled()
    assert of(logged, "recipe.gone") == []


def test_a_key_of_a_recipe_without_a_value_counts_as_absent(desk: RecipeDesk) -> None:
    """And a settle time of 0 takes a picture as soon as it is seen."""
    desk.recipe(text="style: s.png\nmatch: null\nskip:\nwhen: {settle: 0}\npictures:\n")
    desk.settled()
    desk.drop("starry/a.png")
    assert [ready.name for ready in desk.look()] == ["starry/a.png"]


def test_a_recipe_waits_for_its_style(desk: RecipeDesk, logged: list[dict[str, Any]]) -> None:
    """As a sidecar does, but without an end; the library is searched too."""
    desk.drop("starry/recipe.yaml", "style: swirls\n")
    desk.drop("starry/a.png")
    assert desk.make() == []
    desk.look(10**6)
    assert "swirls" in desk.notes()["starry/recipe.yaml"]
    assert of(logged, "inbox.waiting")[0]["sidecar"] == "starry/recipe.yaml"
    (desk.root / "styles" / "swirls.png").write_text("swirls")
    assert desk.make() == ["starry/a.yaml"]
    assert yaml.safe_load(desk.sidecar("starry/a.yaml"))["style"] == "swirls"


def test_a_recipe_that_is_away_for_a_moment_gives_its_pictures_to_no_other(
    desk: RecipeDesk,
) -> None:
    """Editors remove a file and put the new one in its place."""
    desk.recipe()
    path = desk.recipe("starry/cold")
    desk.drop("starry/cold/a.png")
    desk.settled()
    text = path.read_text()
    path.unlink()
    assert desk.look() == []
    path.write_text(text)
    assert desk.make() == ["starry/cold/a.yaml"]


def test_the_sidecar_of_a_picture_below_names_the_style_from_there(desk: RecipeDesk) -> None:
    """Put back into the inbox, it makes the same job without the recipe."""
    desk.recipe(text='style: [{image: s.png, weight: 2}]\noutput: {name: "{picture}-x"}\n')
    desk.drop("starry/2024/may/a.png")
    assert desk.make() == ["starry/2024/may/a.yaml"]
    text = desk.sidecar("starry/2024/may/a.yaml")
    assert yaml.safe_load(text) == {
        "content": "a.png",
        "style": [{"image": "../../s.png", "weight": 2}],
        "output": {"name": "a-x"},
    }
    (desk.folder / "starry" / "recipe.yaml").unlink()
    desk.drop("starry/2024/may/again.yaml", text)
    assert desk.make() == ["starry/2024/may/again.yaml"]


def test_a_picture_called_recipe_gets_a_sidecar_that_is_none(desk: RecipeDesk) -> None:
    """Put back by `nstd retry`, it must not be taken for the recipe."""
    desk.recipe()
    desk.drop("starry/recipe.jpg")
    assert desk.make() == ["starry/recipe.jpg.yaml"]


# Exactly once


def again(desk: RecipeDesk) -> list[str]:
    """What the daemon makes that runs, and then one that is started anew."""
    return desk.make() + RecipeDesk(desk.root).make()


def touch(path: Path) -> None:
    os.utime(path)


def copy_over_itself(path: Path) -> None:
    path.write_bytes(path.read_bytes())


def replace_by_copy(path: Path) -> None:
    shutil.copy(path, path.with_name("x"))
    path.with_name("x").replace(path)


def rename(path: Path) -> None:
    path.rename(path.with_name("other.png"))


def restore(path: Path) -> None:
    shutil.copytree(path.parent, path.parents[2] / "backup")
    shutil.rmtree(path.parent)
    shutil.copytree(path.parents[2] / "backup", path.parent)


def take_recipe(path: Path) -> None:
    recipe = path.with_name("recipe.yaml")
    recipe.unlink()
    recipe.write_text("style: s.png\noptions: {a: 1}\n")


@pytest.mark.parametrize(
    "change", [touch, copy_over_itself, replace_by_copy, rename, restore, take_recipe]
)
def test_the_same_bytes_in_the_same_folder_are_made_once(desk: RecipeDesk, change: Any) -> None:
    """Whatever becomes of the file and the recipe."""
    desk.recipe()
    path = desk.drop("starry/a.png")
    assert desk.make() == ["starry/a.yaml"]
    change(path)
    assert again(desk) == []


def test_the_same_bytes_under_a_second_name_are_told_as_the_first(
    desk: RecipeDesk, logged: list[dict[str, Any]]
) -> None:
    """Once, also after a restart."""
    desk.recipe()
    shutil.copy(desk.drop("starry/a.png"), desk.folder / "starry" / "b.png")
    assert len(desk.make()) == 1
    assert again(desk) == []
    assert RecipeDesk(desk.root).make() == []
    (line,) = of(logged, "picture.passed_over")
    names = {"a.png", "b.png"}
    assert line["path"].rpartition("/")[2] in names
    assert any(f"the same bytes as {name}," in line["reason"] for name in names)


def test_the_first_file_is_no_copy_of_its_copy_when_it_is_touched(
    desk: RecipeDesk, logged: list[dict[str, Any]]
) -> None:
    """Only the copy is told, and once, though both are read again."""
    desk.recipe()
    path = desk.drop("starry/a.png")
    assert desk.make() == ["starry/a.yaml"]
    copy = path.with_name("b.png")
    shutil.copy(path, copy)
    assert desk.make() == []
    touch(path)
    assert again(desk) == []
    touch(copy)
    assert again(desk) == []
    (line,) = of(logged, "picture.passed_over")
    assert line["path"] == "starry/b.png"


def test_changed_bytes_are_a_new_picture(desk: RecipeDesk) -> None:
    """Under the same name; and the old ones do not come back by being put back."""
    desk.recipe()
    path = desk.drop("starry/a.png", "one")
    assert desk.make() == ["starry/a.yaml"]
    path.write_text("two")
    assert desk.make() == ["starry/a.yaml"]
    path.write_text("one")
    assert again(desk) == []


def test_the_same_bytes_in_another_folder_are_another_picture(desk: RecipeDesk) -> None:
    """The results lie in another folder, too."""
    desk.recipe()
    desk.drop("starry/a.png", "one")
    desk.drop("starry/sub/a.png", "one")
    assert desk.make() == ["starry/a.yaml", "starry/sub/a.yaml"]


def test_a_style_that_a_recipe_no_longer_names_does_not_become_a_content(desk: RecipeDesk) -> None:
    """It was used as a style here."""
    path = desk.recipe()
    desk.drop("starry/a.png")
    assert desk.make() == ["starry/a.yaml"]
    path.write_text("style: t.png\n")
    desk.drop("starry/t.png")
    assert again(desk) == []


def test_two_daemons_on_one_inbox_make_each_picture_once(tmp_path: Path) -> None:
    """Both see all; the note is taken once, and the other one learns of it."""
    desk, other = RecipeDesk(tmp_path), RecipeDesk(tmp_path, work="other")
    desk.recipe()
    for number in range(6):
        desk.drop(f"starry/{number}.png")
    desk.settled()
    other.settled()
    for number, (one, two) in enumerate(zip(desk.look(), other.look(), strict=True)):
        first, second = (desk, other) if number % 2 else (other, desk)
        assert first.claim(one) is not None
        assert second.claim(two) is None
    assert desk.make() == other.make() == []
    assert len(list(desk.store.jobs())) == len(list(other.store.jobs())) == 3


@pytest.mark.parametrize("mode", ["keep", "archive", "delete"])
def test_a_claim_that_another_daemon_abandoned_is_given_back(tmp_path: Path, mode: str) -> None:
    """After an hour; the daemon that waited makes the picture then."""
    files = StepFiles()
    dead, desk = RecipeDesk(tmp_path, files, work="dead"), RecipeDesk(tmp_path)
    desk.recipe(text=f"style: s.png\npictures: {mode}\n")
    desk.drop("starry/a.png")
    dead.settled()
    (ready,) = dead.look()
    files.on_step = lambda at, what: (
        Killed() if what == "rename" and files.log[-1][1].parent == tmp_path / "dead" else None
    )
    with pytest.raises(Killed):
        dead.claim(ready)
    assert desk.make() == []
    assert not desk.claims.undo(100.0, never)
    assert desk.make() == []
    assert desk.claims.undo(100.0 + ABANDONED_AFTER, never)
    assert desk.make() == ["starry/a.yaml"]


def test_a_note_that_is_being_given_back_is_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another daemon reads it at that moment; it would come back, and nobody made the picture."""
    desk, other = RecipeDesk(tmp_path), RecipeDesk(tmp_path, work="other")
    desk.recipe()
    desk.drop("starry/a.png")
    desk.settled()
    other.settled()
    (ours,), (theirs,) = desk.look(), other.look()
    found = other.inbox.made.find

    def fail(*_: Any) -> None:  # our claim has its note, and meets a full disk
        assert other.claim(theirs) is None
        raise OSError(28, "No space left on device")

    def give_back(folder: str, sha256: str) -> Any:
        """They find our note; it is given back before they go on."""
        note = found(folder, sha256)
        monkeypatch.setattr(other.inbox.made, "find", found)
        desk.claims.undo(0.0, never)
        return note

    monkeypatch.setattr(other.inbox.made, "find", give_back)
    with monkeypatch.context() as patched:
        patched.setattr(desk.claims._files, "rename", fail)
        with pytest.raises(OSError, match="No space"):
            desk.claim(ours)
    assert desk.make() + other.make() == ["starry/a.yaml"]


@pytest.mark.parametrize(("mode", "kept"), [("archive", True), ("delete", False)])
def test_a_picture_that_is_not_kept_leaves_the_inbox_with_its_claim(
    desk: RecipeDesk, mode: str, kept: bool
) -> None:
    """Dropped again, it is made again; the style stays. The archive has the bytes once."""
    desk.recipe(text=f"style: s.png\npictures: {mode}\n")
    for _ in range(2):
        desk.drop("starry/sub/a.png", "a")
        assert desk.make() == ["starry/sub/a.yaml"]
        assert names_in(desk.folder / "starry" / "sub") == []
    assert names_in(desk.folder / "starry") == ["recipe.yaml", "s.png", "sub"]
    archived = sorted((desk.root / "outbox").rglob("*.png"))
    assert [path.name for path in archived] == (["a.png"] if kept else [])
    assert names_in(desk.folder / ".nstd") == ["made"]


def test_a_picture_that_was_made_and_kept_is_not_made_when_it_is_to_be_deleted(
    desk: RecipeDesk,
) -> None:
    """Whatever becomes of the recipe."""
    path = desk.recipe()
    desk.drop("starry/a.png")
    assert desk.make() == ["starry/a.yaml"]
    path.write_text("style: s.png\npictures: delete\n")
    assert again(desk) == []
    assert (desk.folder / "starry" / "a.png").exists()


def test_notes_that_cannot_be_read_make_nothing_again(
    desk: RecipeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a torn one: its name is what counts."""
    desk.recipe()
    desk.drop("starry/a.png")
    assert desk.make() == ["starry/a.yaml"]
    for note in (desk.folder / ".nstd" / "made" / "starry").glob("*.json"):
        note.write_bytes(note.read_bytes()[:30])
    assert RecipeDesk(desk.root).make() == []
    assert RecipeDesk(desk.root).make() == []

    def fail(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    fresh = RecipeDesk(desk.root)
    with monkeypatch.context() as patched:
        patched.setattr(fresh.inbox.made, "find", fail)
        assert fresh.settled() == []
    assert fresh.make() == []


def test_what_has_gone_for_long_is_forgotten(
    desk: RecipeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that notes stay few; what is there, or is back in time, is not."""
    desk.recipe()
    notes = desk.folder / ".nstd" / "made" / "starry"
    for leaf in ("stays.png", "goes.png", "returns.png"):
        desk.drop(f"starry/{leaf}")
    assert len(desk.make()) == 3
    for leaf in ("goes.png", "returns.png"):
        (desk.folder / "starry" / leaf).unlink()
    clock = 1e9
    monkeypatch.setattr("nstd.intake.made.time.time", lambda: clock)

    def tidy(days: float) -> int:
        nonlocal clock
        clock += days * 86400
        list(desk.inbox.made.tidy(90 * 86400))
        list(RecipeDesk(desk.root).inbox.made.tidy(90 * 86400))
        return len(list(notes.glob("[0-9a-f]*.json")))

    assert tidy(1) == 4
    desk.drop("starry/returns.png")
    assert desk.make() == []
    assert tidy(89) == 4
    assert tidy(2) == 3
    assert desk.make() == []
    desk.drop("starry/goes.png")
    assert desk.make() == ["starry/goes.yaml"]
    shutil.rmtree(desk.folder / "starry")
    assert tidy(1) == 4
    assert tidy(91) == 0
    assert not notes.exists()


# A folder that is full when its recipe comes


def test_a_folder_that_is_full_at_first_is_held_until_it_is_released(
    tmp_path: Path, logged: list[dict[str, Any]]
) -> None:
    """The oldest are taken; one line; a restart changes nothing; what comes later goes through."""
    desk = RecipeDesk(tmp_path, limits={"folder_first": 3})
    for number in range(8):
        desk.drop(f"starry/{number}.png")
    desk.recipe()
    assert desk.make() == [f"starry/{number}.yaml" for number in range(3)]
    (line,) = of(logged, "recipe.held")
    assert (line["held"], line["taken"]) == (5, 3)
    assert "nstd release starry/" in line["hint"]
    desk = RecipeDesk(tmp_path, limits={"folder_first": 3})
    desk.drop("starry/new.png")
    assert desk.make() == ["starry/new.yaml"]
    assert desk.look() == []
    assert desk.inbox.pending == 0
    assert [(s.waiting, s.held) for s in desk.inbox.folders.states] == [(0, 5)]
    assert desk.inbox.hold("starry", is_held=False)
    assert not desk.inbox.hold("starry", is_held=False)
    assert len(desk.make()) == 5
    assert len(of(logged, "recipe.held")) == 1


def rename_below(path: Path) -> None:
    """It goes into another folder of the same recipe."""
    (path.parent / "sub").mkdir()
    path.rename(path.parent / "sub" / "b.png")


def copy_it(path: Path) -> None:
    """A second file with its bytes, while the first is there."""
    shutil.copy(path, path.with_name("copied.png"))


@pytest.mark.parametrize("change", [touch, rename, rename_below, copy_it, replace_by_copy])
def test_a_held_picture_that_is_changed_without_its_bytes_stays_held(
    tmp_path: Path, change: Any
) -> None:
    """Also after a restart, and when the file that it was copied from has gone."""
    desk = RecipeDesk(tmp_path, limits={"folder_first": 1})
    for leaf in "abc":
        desk.drop(f"starry/{leaf}.png")
    desk.recipe()
    assert desk.make() == ["starry/a.yaml"]
    change(desk.folder / "starry" / "c.png")
    held = 3 if change is copy_it else 2
    for _ in range(2):
        assert desk.make() == []
        assert [(s.waiting, s.held) for s in desk.inbox.folders.states] == [(0, held)]
        desk = RecipeDesk(tmp_path, limits={"folder_first": 1})
        if change is copy_it and (desk.folder / "starry" / "c.png").exists():
            (desk.folder / "starry" / "c.png").unlink()
            held = 2
    (desk.folder / "starry" / "a.png").touch()
    desk.drop("starry/new.png", "other")  # has the size of no other
    assert desk.make() == ["starry/new.yaml"]
    assert desk.inbox.hold("starry", is_held=False)
    assert len(desk.make()) == 2


def test_bytes_of_held_pictures_are_compared_a_little_in_each_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not compared yet waits; a picture of the same size and other bytes is made then."""
    desk = RecipeDesk(tmp_path, limits={"folder_first": 1})
    for leaf in "abc":
        desk.drop(f"starry/{leaf}.png")
    desk.recipe()
    assert desk.make() == ["starry/a.yaml"]
    desk.drop("starry/d.png")
    monkeypatch.setattr("nstd.intake.held._BUDGET", -1.0)
    assert desk.make() == []
    monkeypatch.undo()
    assert desk.make() == ["starry/d.yaml"]


@pytest.mark.parametrize(("most", "held"), [(2, 3), (3, 0)])
def test_a_renamed_folder_is_told_and_a_full_one_is_held_before_it_is_made_again(
    tmp_path: Path, logged: list[dict[str, Any]], most: int, held: int
) -> None:
    """Once, also after a restart; its release has them made again."""
    desk = RecipeDesk(tmp_path, limits={"folder_first": 9})
    for leaf in "abc":
        desk.drop(f"starry/{leaf}.png")
    desk.recipe()
    assert len(desk.make()) == 3
    (desk.folder / "starry").rename(desk.folder / "stars")
    made = 0
    for _ in range(2):
        desk = RecipeDesk(tmp_path, limits={"folder_first": most})
        made += len(desk.make())
        desk.look()
        assert [(s.folder, s.waiting, s.held) for s in desk.inbox.folders.states] == [
            ("stars", 0, held)
        ]
    assert made == 3 - held
    (line,) = of(logged, "recipe.moved")
    assert (line["folder"], line["was"], line["pictures"], line["held"]) == (
        "stars", "starry", 3, held
    )  # fmt: skip
    assert ("nstd release stars/" if held else "nstd hold stars/") in line["hint"]
    if held:
        assert desk.inbox.hold("stars", is_held=False)
        assert len(RecipeDesk(tmp_path, limits={"folder_first": most}).make()) == 3
        assert len(of(logged, "recipe.moved")) == 1


def test_a_folder_that_is_renamed_below_its_recipe_is_told_too(
    desk: RecipeDesk, logged: list[dict[str, Any]]
) -> None:
    """The notes are about the folder of each picture."""
    desk.recipe()
    desk.drop("starry/2024/a.png")
    assert len(desk.make()) == 1
    (desk.folder / "starry" / "2024").rename(desk.folder / "starry" / "old")
    assert desk.make() == ["starry/old/a.yaml"]
    (line,) = of(logged, "recipe.moved")
    assert (line["folder"], line["was"]) == ("starry/old", "starry/2024")
    assert "`nstd hold starry/`" in line["hint"]


def test_touched_pictures_are_not_counted_as_waiting_nor_held_ones_under_a_wrong_recipe(
    tmp_path: Path,
) -> None:
    """By the daemon and without one."""
    desk = RecipeDesk(tmp_path, limits={"folder_first": 2})
    for leaf in "abcd":
        desk.drop(f"starry/{leaf}.png")
    path = desk.recipe()
    assert len(desk.make()) == 2

    def counts() -> set[tuple[int, int]]:
        (state,), (entry,) = desk.inbox.folders.states, read_status(desk.config).recipes
        return {(state.waiting, state.held), (entry.waiting, entry.held)}

    (desk.folder / "starry" / "a.png").touch()
    desk.look()
    assert {held for _, held in counts()} == {2}
    assert desk.inbox.folders.states[0].waiting == 0
    path.write_text("style: s.png\npriority: high\n")
    desk.settled()
    assert {held for _, held in counts()} == {2}
    assert desk.inbox.folders.states[0].waiting == 0


def test_a_folder_that_fills_under_its_recipe_is_not_held(tmp_path: Path) -> None:
    """The limit is about what was there before."""
    desk = RecipeDesk(tmp_path, limits={"folder_first": 3})
    desk.recipe()
    assert desk.make() == []
    for number in range(8):
        desk.drop(f"starry/{number}.png")
    assert len(desk.make()) == 8


def test_the_jobs_of_a_grid_count_each(tmp_path: Path) -> None:
    """Of four pictures with two styles, two are taken, as batches."""
    desk = RecipeDesk(
        tmp_path,
        backends=Backends(),
        limits={"folder_first": 5},
        jobs={"backend": "color-transfer"},
    )
    for number in range(4):
        desk.drop(f"starry/{number}.png")
    desk.drop("starry/t.png")
    desk.recipe(text="styles: [s.png, t.png]\n")
    assert desk.settled() == ["starry/0.png", "starry/1.png"]
    batch = desk.claim(desk.look()[0])
    assert isinstance(batch, Batch)
    assert [member.name for member in batch.members] == ["0-s", "0-t"]
    assert batch.place == "starry/0"


def test_options_that_the_backend_refuses_make_the_recipe_wrong(
    tmp_path: Path, logged: list[dict[str, Any]]
) -> None:
    """At once, before there is a picture."""
    desk = RecipeDesk(tmp_path, backends=Backends(), jobs={"backend": "color-transfer"})
    desk.recipe(text="style: s.png\noptions: {stripes: 3}\n")
    desk.settled()
    (line,) = of(logged, "recipe.invalid")
    assert line["message"].startswith("starry/recipe.yaml:2:11: unknown key 'stripes'")


def test_known_pictures_cost_a_stat_each(desk: RecipeDesk) -> None:
    """Neither they nor their notes are opened again by a look."""
    desk.recipe()
    for number in range(30):
        desk.drop(f"starry/{number}.png")
    assert len(desk.make()) == 30
    desk.settled()
    opened: list[str] = []

    def heed(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and ".png" in str(arguments[0]):
            opened.append(str(arguments[0]))

    sys.addaudithook(heed)
    desk.look(SETTLE)
    assert opened == ["s.png"]  # held by its descriptor, to see whether it is stable
