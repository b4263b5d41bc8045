"""All pictures of a recipe's folder are made once more, with the recipe as it is now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from support.cinema import pictures, save_gif
from support.disk import names_in
from support.playground import Playground, finished, wait_for

from nstd.client.again_folder import make_folder_again, plan_again
from nstd.queue.control import ControlRequest, ControlRequests
from nstd.system.durable import Files

COLORS = {"a": "red", "b": "green", "sub/c": "blue"}


def fill(playground: Playground, recipe: str = "style: s.png\n") -> Path:
    """A folder with a recipe and three pictures, one of them below it, all made; the recipe."""
    playground.picture("starry/s.png", color="orange")
    path = playground.inbox / "starry" / "recipe.yaml"
    path.write_text(recipe)
    for name, color in COLORS.items():
        playground.picture(f"starry/{name}.png", color=color)
    assert playground.once().returncode == 0
    return path


def sizes(playground: Playground) -> dict[str, int]:
    """The folders of results below `starry`, and the width of each picture."""
    root = playground.outbox / "starry"
    found = {}
    for path in root.rglob("*.png"):
        name = str(path.parent.relative_to(root))
        if path.stem == path.parent.name:
            with Image.open(path) as picture:
                found[name] = picture.width
    return found


def test_all_that_was_kept_is_made_again_with_the_changed_recipe_as_new_results(
    playground: Playground,
) -> None:
    """It works without a daemon, and once: the request is gone after that."""
    path = fill(playground)
    path.write_text("style: s.png\noutput: {size: 16}\n")
    done = playground.command("again", "starry/", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "3 pictures of starry/ would be made again",
        "3 pictures of starry/ will be made again when the daemon runs again",
    ]
    twice = playground.command("again", "starry/", "--yes")
    assert twice.stdout.startswith("starry/ was asked for already")
    assert "again starry/, when the daemon runs again" in playground.command("status").stdout
    for _ in range(2):
        assert playground.once().returncode == 0
        assert sizes(playground) == {
            "a": 32, "b": 32, "sub/c": 32, "a-2": 16, "b-2": 16, "sub/c-2": 16,
        }  # fmt: skip
    (line,) = playground.events("recipe.again")
    assert (line["folder"], line["pictures"]) == ("starry", 3)


def test_films_are_counted_as_films_and_what_has_failed_is_told(playground: Playground) -> None:
    """Those that failed are made once more, too."""
    folder = fill(playground).parent
    save_gif(folder / "loop.gif", pictures(2))
    (folder / "torn.png").write_bytes((folder / "a.png").read_bytes()[:40])
    playground.once()
    assert {reason["name"] for reason in playground.events("job.failed")} == {"torn"}
    done = playground.command("again", "starry/", "--yes")
    assert done.stdout.splitlines()[:2] == [
        "4 pictures and 1 film of starry/ would be made again",
        "  1 of them has failed so far",
    ]


def test_a_folder_without_its_slash_is_told_with_it(playground: Playground) -> None:
    """Whether its name fits several jobs, or none."""
    fill(playground)
    done = playground.command("again", "starry")
    assert done.returncode == 1
    assert "starry/ is a folder with a recipe: say it with the slash" in done.stderr


def test_it_says_how_many_and_asks_and_a_no_changes_nothing(playground: Playground) -> None:
    """So does the end of the input."""
    fill(playground)
    for answer in ("n\n", ""):
        done = playground.command("again", "inbox/starry/", input=answer)
        assert done.returncode == 1
        assert "3 pictures of starry/ would be made again\ngo on? [y/N]" in done.stdout
    assert ControlRequests(playground.work, Files()).is_empty
    assert playground.once().returncode == 0
    assert len(sizes(playground)) == 3


def test_a_running_daemon_makes_them_again_at_once(playground: Playground) -> None:
    """Lists make a batch of each picture once more, too."""
    fill(playground, "style: s.png\noptions: {steps: [1, 2]}\n")
    process = playground.start()
    done = playground.command("again", "starry/", "--yes")
    assert "3 pictures of starry/ (6 jobs) would be made again" in done.stdout
    wait_for(lambda: len(playground.events("batch.finished")) == 6, what="six batches")
    assert playground.stop(process) == 0
    places = {line["output"] for line in playground.events("batch.finished")}
    assert places == {f"starry/{name}{end}" for name in COLORS for end in ("", "-2")}


@pytest.mark.parametrize("mode", ["archive", "delete"])
def test_what_was_archived_or_deleted_comes_back_where_its_bytes_are_found(
    playground: Playground, mode: str
) -> None:
    """A picture of which no file is left is named; nothing is left of the way back."""
    path = fill(playground, f"style: s.png\npictures: {mode}\n")
    archive = playground.outbox / "archive" / "starry"
    if mode == "archive":
        (archive / "a.png").rename(archive / "renamed.png")
        (archive / "sub" / "c.png").unlink()
    else:
        playground.picture("elsewhere/a.png", color=COLORS["a"])
        Image.new("RGB", (32, 24), COLORS["b"]).save(playground.styles / "b-too.png")
    path.write_text(f"style: s.png\noutput: {{size: 16}}\npictures: {mode}\n")
    done = playground.command("again", "starry/", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "2 pictures of starry/ would be made again",
        "  2 of them do not lie there now: copies come back into it",
        "  no file is left of 1 picture:",
        "    starry/sub/c.png",
        "2 pictures of starry/ will be made again when the daemon runs again",
    ]
    assert playground.once().returncode == 0
    assert sizes(playground) == {"a": 32, "b": 32, "sub/c": 32, "a-2": 16, "b-2": 16}
    assert names_in(playground.inbox / "starry") == ["recipe.yaml", "s.png", "sub"]
    assert not list(playground.inbox.glob(".again*"))
    if mode == "archive":
        assert names_in(archive) == ["a.png", "b.png", "renamed.png", "sub"]
    assert (playground.inbox / "elsewhere" / "a.png").exists() == (mode == "delete")


def test_what_was_taken_out_of_the_folder_by_hand_is_named_and_what_was_renamed_is_found(
    playground: Playground,
) -> None:
    """A kept picture that somebody has moved elsewhere does not come back."""
    fill(playground)
    folder = playground.inbox / "starry"
    (folder / "a.png").rename(playground.inbox / "a.png")
    (folder / "b.png").rename(folder / "renamed.png")
    done = playground.command("again", "starry/", "--yes")
    assert done.stdout.splitlines() == [
        "2 pictures of starry/ would be made again",
        "  no file is left of 1 picture:",
        "    starry/a.png",
        "2 pictures of starry/ will be made again when the daemon runs again",
    ]
    assert playground.once().returncode == 0
    assert set(sizes(playground)) == {"a", "b", "sub/c", "renamed", "sub/c-2"}


@pytest.mark.parametrize("mode", ["keep", "archive"])
def test_a_sub_folder_that_was_removed_since_comes_back_where_nobody_took_the_pictures_out(
    playground: Playground, mode: str
) -> None:
    """With `keep` it was a person who moved them; with `archive` it was nstd."""
    fill(playground, f"style: s.png\npictures: {mode}\n")
    sub = playground.inbox / "starry" / "sub"
    if mode == "keep":
        sub.rename(playground.inbox / "moved")
    else:
        sub.rmdir()
    done = playground.command("again", "starry/", "--yes")
    assert ("    starry/sub/c.png" in done.stdout) == (mode == "keep")
    assert playground.once().returncode == 0
    again = {"a-2", "b-2"} | ({"sub/c-2"} if mode == "archive" else set())
    assert set(sizes(playground)) - set(COLORS) == again


def test_a_picture_that_was_replaced_by_another_of_its_name_is_made_once(
    playground: Playground,
) -> None:
    """The first is gone; both have a note of that name."""
    fill(playground)
    playground.picture("starry/a.png", size=(40, 30), color="white")
    assert playground.once().returncode == 0
    done = playground.command("again", "starry/", "--yes")
    assert "3 pictures of starry/ would be made again" in done.stdout
    assert "    starry/a.png" in done.stdout
    assert playground.once().returncode == 0
    assert set(sizes(playground)) == {"a", "a-2", "a-3", "b", "b-2", "sub/c", "sub/c-2"}


def test_styles_and_what_the_recipe_leaves_out_now_are_not_made(playground: Playground) -> None:
    """The first style stays one when the recipe names another."""
    path = fill(playground)
    playground.picture("starry/t.png", color="white")
    path.write_text("style: t.png\nskip: a.png\n")
    done = playground.command("again", "starry/", "--yes")
    assert "2 pictures of starry/ would be made again" in done.stdout
    assert playground.once().returncode == 0
    assert set(sizes(playground)) == {"a", "b", "sub/c", "b-2", "sub/c-2"}


def test_a_failure_is_made_again_with_its_folder(playground: Playground) -> None:
    """A wrong option of the recipe was the cause; the failure itself stays."""
    path = fill(playground, "style: s.png\noptions: {act: refuse}\npictures: archive\n")
    assert playground.ended() == 3
    path.write_text("style: s.png\npictures: archive\n")
    assert playground.command("again", "starry/", "--yes").returncode == 0
    assert playground.once().returncode == 0
    assert finished(playground) == {"a", "b", "c"}


def test_what_cannot_be_made_again_is_refused_with_the_reason(playground: Playground) -> None:
    """A folder without a recipe or without pictures, a wrong recipe, and changes, which it says."""
    playground.picture("starry/s.png", color="orange")
    recipe = playground.inbox / "starry" / "recipe.yaml"
    recipe.write_text("style: s.png\n")

    def refused(*arguments: str) -> str:
        done = playground.command("again", *arguments)
        assert done.returncode in {1, 2}
        return done.stderr

    assert "no recipe is in the folder 'elsewhere/'" in refused("elsewhere/", "--yes")
    assert "nothing in starry/ can be made again" in refused("starry/", "--yes")
    assert "change that instead" in refused("starry/", "--size", "3")
    recipe.write_text("stylee: s.png\n")
    assert "recipe.yaml:1:1" in refused("starry/", "--yes")
    assert ControlRequests(playground.work, Files()).is_empty


def test_a_command_that_dies_on_the_way_leaves_nothing_behind_and_asks_for_nothing(
    playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kill has left goes when the command is said once more, after an hour."""
    fill(playground, "style: s.png\npictures: archive\nbackend: color-transfer\n")
    plan = plan_again(playground.config, "starry")
    left = playground.inbox / f".again-{'0' * 16}" / "starry"
    left.mkdir(parents=True)
    shutil.copy(playground.outbox / "archive" / "starry" / "a.png", left / "a.png")
    assert playground.once().returncode == 0
    assert len(sizes(playground)) == 3
    monkeypatch.setattr("nstd.client.again_folder._LEFT_AFTER", 0.0)
    (playground.outbox / "archive" / "starry" / "b.png").write_bytes(b"other")
    with pytest.raises(Exception, match="has just changed"):
        make_folder_again(playground.config, plan)
    assert not list(playground.inbox.glob(".again*"))
    assert ControlRequests(playground.work, Files()).is_empty


def test_notes_from_a_clock_that_was_ahead_are_made_again_too(playground: Playground) -> None:
    """The request is about what was made, not about the hour."""
    fill(playground)
    for note in (playground.inbox / ".nstd" / "made").rglob("*.json"):
        note.write_text(note.read_text().replace('"made":1', '"made":9'))
    assert playground.command("again", "starry/", "--yes").returncode == 0
    assert playground.once().returncode == 0
    assert len(sizes(playground)) == 6


def test_a_held_folder_is_told_to_be_held(playground: Playground) -> None:
    """They wait for its release."""
    fill(playground)
    assert playground.command("hold", "starry/").returncode == 0
    assert playground.once().returncode == 0
    done = playground.command("again", "starry/", "--yes")
    assert "the folder is held: they wait for `nstd release starry/`" in done.stdout
    assert playground.once().returncode == 0
    assert len(sizes(playground)) == 3
    assert playground.command("release", "starry/").returncode == 0
    assert playground.once().returncode == 0
    assert len(sizes(playground)) == 6


def test_what_comes_back_goes_into_no_hidden_folder(playground: Playground) -> None:
    """Members of the group may write such a folder; the notes and claims are the daemon's own."""
    fill(playground)
    staged = f".again-{'1' * 16}"
    for place in (".nstd/made/starry", "starry"):
        path = playground.inbox / staged / place / "forged.json"
        path.parent.mkdir(parents=True)
        path.write_text("forged")
    request = ControlRequest("again", "starry/", until=1.0, staged=staged)
    ControlRequests(playground.work, Files()).write(request)
    assert playground.once().returncode == 0
    assert (playground.inbox / "starry" / "forged.json").exists()
    assert list(playground.inbox.glob(".nstd/**/forged*")) == []
    assert not (playground.inbox / staged).exists()


@pytest.mark.parametrize("staged", ["../..", "sub/x", ".nstd", "starry"])
def test_a_request_cannot_move_other_folders(playground: Playground, staged: str) -> None:
    """Members of the group may write requests: only a hidden folder of ours is moved."""
    fill(playground)
    text = f'{{"action": "again", "job": "starry/", "until": 1, "staged": "{staged}"}}'
    (playground.work / ".requests" / "x.json").write_text(text)
    assert playground.once().returncode == 0
    (line,) = playground.events("request.refused")
    assert "no folder of pictures that come back" in line["reason"]
    assert len(sizes(playground)) == 3
