"""`nstd recipe`, `nstd check FOLDER` and the line of a folder in `nstd status`."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import yaml
from PIL import Image
from support.playground import Playground, finished, wait_for

from nstd.intake.survey import Survey
from nstd.system.nofollow import Folder


@pytest.fixture
def style(playground: Playground) -> Path:
    """A style outside the inbox."""
    path = playground.folder / "swirls.png"
    Image.new("RGB", (16, 12), "orange").save(path)
    return path


def test_a_recipe_is_made_and_paints_what_is_dropped(playground: Playground, style: Path) -> None:
    """The style is copied there; the daemon takes each picture, and then the changed recipe."""
    options = [f"-o{option}" for option in ("steps=2", "output.name={picture}-x", "skip=*-no.*")]
    made = playground.command("recipe", "starry", str(style), "--size", "24", *options)
    assert made.returncode == 0, made.stderr
    path = playground.inbox / "starry" / "recipe.yaml"
    assert yaml.safe_load(path.read_text()) == {
        "style": "swirls.png",
        "output": {"size": 24, "name": "{picture}-x"},
        "options": {"steps": 2},
        "skip": "*-no.*",
    }
    process = playground.start()
    playground.picture("starry/a.png", color="red")
    playground.picture("starry/a-no.png", color="green")
    wait_for(lambda: finished(playground) == {"a-x"}, what="the first picture")
    path.write_text("style: swirls.png\noutput: {size: 16}\n")
    playground.picture("starry/sub/b.png", color="blue")
    wait_for(lambda: len(finished(playground)) == 3, what="those that the changed recipe takes")
    assert finished(playground) == {"a-x", "a-no", "b"}
    assert playground.record("starry/sub/b")["settings"]["size"] == 16
    sidecar = playground.outbox / "starry" / "sub" / "b" / "b.yaml"
    assert yaml.safe_load(sidecar.read_text())["style"] == "../swirls.png"
    assert playground.stop(process) == 0


def test_a_run_ends_though_a_recipe_cannot_be_opened_and_pictures_wait(
    playground: Playground,
) -> None:
    """A link is not followed: it may lead anywhere. What waits for it does not hold up the rest."""
    playground.pair("beach")
    playground.picture("linked/a.png", color="red")
    (playground.folder / "elsewhere.yaml").write_text("style: a.png\n")
    (playground.inbox / "linked" / "recipe.yaml").symlink_to(playground.folder / "elsewhere.yaml")
    done = playground.once()
    assert done.returncode == 0
    assert finished(playground) == {"beach"}
    assert (playground.inbox / "linked" / "a.png").exists()
    (line,) = playground.events("inbox.unreadable")
    assert line["path"] == "linked/recipe.yaml"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("../out", "{style}"), "a sub-folder of the inbox"),
        ((".", "{style}"), "below"),
        ((".hidden", "{style}"), "passed over"),
        (("starry", "nothing"), "no such picture file"),
        (("starry", "{style}", "-o", "content=a.png"), "content"),
        (("starry", "{style}", "-o", "priority=high"), "priority"),
        (("starry", "{style}", "-o", "stripes=3"), "stripes"),
        (("there", "{style}"), "there is a recipe already"),
    ],
)
def test_a_recipe_that_would_be_refused_is_not_made(
    playground: Playground, style: Path, arguments: tuple[str, ...], words: str
) -> None:
    """Nothing is written then, and nothing overwritten."""
    there = playground.inbox / "there" / "recipe.yaml"
    there.parent.mkdir()
    there.write_text("style: s.png\n")
    done = playground.command("recipe", *(each.format(style=style) for each in arguments))
    assert done.returncode != 0
    assert words in done.stderr
    assert {path.name for path in playground.inbox.rglob("*")} == {"there", "recipe.yaml"}
    assert there.read_text() == "style: s.png\n"


def test_several_styles_are_mixed_or_make_a_grid(playground: Playground, style: Path) -> None:
    """A style of the library is named, and not copied."""
    Image.new("RGB", (16, 12), "navy").save(playground.styles / "starry.png")
    assert playground.command("recipe", "mix", str(style), "starry").returncode == 0
    assert playground.command("recipe", "grid", str(style), "starry", "--grid").returncode == 0
    recipes = {
        name: yaml.safe_load((playground.inbox / name / "recipe.yaml").read_text())
        for name in ("mix", "grid")
    }
    assert recipes == {
        "mix": {"style": ["swirls.png", "starry"]},
        "grid": {"styles": ["swirls.png", "starry"]},
    }
    said = playground.command("check", str(playground.inbox / "grid"))
    assert "grid/recipe.yaml: fine, a recipe, makes 2 jobs of each picture" in said.stdout


def fill(playground: Playground) -> Path:
    """A folder with a recipe, four pictures and what else there may be."""
    for number, name in enumerate(("a", "b", "c", "d")):
        playground.picture(f"starry/{name}.png", color=f"rgb({number},0,0)")
    playground.picture("starry/s.png", color="orange")
    for name in ("DSC_1.NEF", "a.xmp", ".DS_Store"):
        (playground.inbox / "starry" / name).touch()
    path = playground.inbox / "starry" / "recipe.yaml"
    path.write_text("style: s.png\nskip: c.png\n")
    return path


def verdicts(playground: Playground) -> dict[str, str]:
    """What `nstd check FOLDER` says of each file."""
    said = playground.command("check", str(playground.inbox / "starry"))
    lines = [line.strip().removeprefix("starry/") for line in said.stdout.splitlines()[1:]]
    return dict(line.split(": ", 1) for line in lines)


def test_check_names_each_file_of_a_folder_and_what_becomes_of_it(playground: Playground) -> None:
    """Before and after; it changes nothing."""
    playground.configure(limits={"folder_first": 2})
    fill(playground)
    assert verdicts(playground) == {
        ".DS_Store": "hidden, temporary, or of a program",
        "DSC_1.NEF": "camera raw, which is not read: export it as JPEG, PNG or TIFF",
        "a.png": "becomes a job",
        "a.xmp": "no picture",
        "b.png": "becomes a job",
        "c.png": "the recipe's `match` and `skip` leave it out",
        "d.png": "is held",
        "recipe.yaml": "the recipe",
        "s.png": "a recipe names it",
    }
    assert not (playground.inbox / ".nstd").exists()
    assert playground.once().returncode == 0
    (playground.inbox / "starry" / "a.png").touch()
    after = verdicts(playground)
    assert (after["a.png"], after["b.png"], after["d.png"]) == (
        "is made or used already", "is made or used already", "is held",
    )  # fmt: skip


def test_check_names_second_names_links_and_what_cannot_be_read_beside_the_others(
    playground: Playground,
) -> None:
    """One file that cannot be read hides none; a copy becomes no job."""
    fill(playground)
    folder = playground.inbox / "starry"
    (folder / "b-copy.png").write_bytes((folder / "b.png").read_bytes())
    (folder / "link.png").symlink_to(folder / "a.png")
    os.mkfifo(folder / "pipe.png")
    expected = {
        "a.png": "becomes a job",
        "b-copy.png": "has the same bytes as b.png",
        "b.png": "becomes a job",
        "link.png": "a symbolic link, which is passed over: copy the picture itself there",
        "pipe.png": "a FIFO, which is passed over: copy the picture itself there",
    }
    is_closed = os.geteuid() != 0  # root can read all
    if is_closed:
        (folder / "d.png").chmod(0)
        expected["d.png"] = "cannot be read: Permission denied"
    found = verdicts(playground)
    assert {name: found[name] for name in expected} == expected
    if is_closed:
        (folder / "d.png").chmod(0o600)
    (folder / "link.png").unlink()
    (folder / "pipe.png").unlink()
    assert playground.once().returncode == 0
    assert verdicts(playground)["b-copy.png"] in {
        "has the same bytes as b.png, which is made or used already",
        "is made or used already",
    }


def test_check_goes_on_where_a_picture_cannot_be_opened(
    playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As any error of the disk."""
    fill(playground)
    opened = Folder.open

    def refuse(self: Folder, name: str) -> object:
        if name.endswith("b.png"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), name)
        return opened(self, name)

    monkeypatch.setattr(Folder, "open", refuse)
    (survey,) = Survey(playground.config, thorough=True).folders()
    whys = {each.name: each.why for each in survey.files}
    assert whys["starry/b.png"] == "cannot be read: Input/output error"
    assert whys["starry/a.png"] == whys["starry/d.png"] == ""


def test_what_is_held_is_told_and_released(playground: Playground) -> None:
    """By status with and without a daemon, and by a request that the daemon finds at its start."""
    playground.configure(limits={"folder_first": 2})
    fill(playground)
    line = "folder   starry/  2 waiting, 1 held"
    assert line in playground.command("status").stdout
    process = playground.start()
    wait_for(lambda: playground.ended() == 2, what="those that are not held")
    held = "folder   starry/  1 held, 2 done, `nstd release starry/` lets the held ones go"
    wait_for(lambda: held in playground.command("status").stdout, what=held, pause=0.5)
    assert playground.stop(process) == 0
    assert held in playground.command("status").stdout
    asked = playground.command("release", "starry/")
    assert (asked.returncode, asked.stdout) == (0, "starry/ may start when the daemon runs again\n")
    assert playground.command("release", "starry/").returncode == 0  # once more does no harm
    assert playground.once().returncode == 0
    assert finished(playground) == {"a", "b", "d"}
    assert len(playground.events("recipe.held")) == len(playground.events("recipe.released")) == 1
    status = json.loads(playground.command("status", "--json").stdout)
    (folder,) = status["recipes"]
    assert (folder["folder"], folder["done"], folder["error"]) == ("starry", 3, "")
    assert not any(folder[key] for key in ("waiting", "held", "held_jobs", "failed"))


def test_a_job_that_is_held_by_itself_counts_as_held_in_its_folder(playground: Playground) -> None:
    """No release of the folder would let it go, so none is proposed."""
    fill(playground)
    playground.said("pause")
    playground.start()
    wait_for(lambda: len(playground.events("job.claimed")) == 3)
    playground.said("hold", "a")
    wait_for(lambda: playground.events("job.changed"))
    line = "folder   starry/  2 waiting, 1 held\n"
    wait_for(lambda: line in playground.said("status"), what=line, pause=0.5)


def test_a_folder_is_held_and_released(playground: Playground) -> None:
    """Also what comes meanwhile; a folder without a recipe, and one outside, are refused."""
    fill(playground)
    assert playground.command("hold", "starry/").returncode == 0
    assert playground.once().returncode == 0
    playground.picture("starry/new.png", color="white")
    assert playground.once().returncode == 0
    assert playground.ended() == 0
    assert "folder   starry/  4 held" in playground.command("status").stdout
    assert playground.command("release", "starry/").returncode == 0
    assert playground.once().returncode == 0
    assert finished(playground) == {"a", "b", "d", "new"}
    for name in ("elsewhere/", "../inbox/starry/", "/"):
        refused = playground.command("hold", name)
        assert (refused.returncode, "no recipe is in the folder" in refused.stderr) == (1, True)
    assert playground.command("priority", "starry/", "3").returncode == 1


def test_a_folder_may_be_named_by_its_path_and_without_the_slash_it_is_proposed(
    playground: Playground,
) -> None:
    """Where no job is called so; a priority belongs into the recipe."""
    fill(playground)
    for name in ("inbox/starry/", f"{playground.inbox}/starry/"):
        done = playground.command("hold", name)
        assert (done.returncode, done.stdout.partition(" ")[0]) == (0, "starry/")
    for command in ("hold", "release"):
        refused = playground.command(command, "starry")
        assert refused.returncode == 1
        assert "starry/ is a folder with a recipe: say it with the slash" in refused.stderr
    refused = playground.command("priority", "starry/", "80")
    assert refused.returncode == 1
    assert "write `priority: 80` into its recipe" in refused.stderr


def test_a_wrong_recipe_is_told_with_line_and_column(playground: Playground) -> None:
    """By the log, by status with and without a daemon, by check of the file and of the folder."""
    path = fill(playground)
    path.write_text("style: s.png\nprioriti: 3\n")
    place = "starry/recipe.yaml:2:1: unknown key 'prioriti'; did you mean 'priority'?"
    for what in (path, path.parent):
        checked = playground.command("check", str(what))
        assert checked.returncode == 1
        assert place.removeprefix("starry/") in checked.stdout
    assert f"the recipe is not followed: {place}" in playground.command("status").stdout
    process = playground.start()
    wait_for(lambda: playground.events("recipe.invalid"), what="recipe.invalid")
    said = wait_for(
        lambda: text if place in (text := playground.command("status").stdout) else "",
        what="status",
        pause=0.5,
    )
    assert said.count(place) == 1
    told = playground.said("logs", "--level", "warning")
    assert f"recipe.invalid sidecar_invalid: {place}\n" in told
    path.write_text("style: s.png\npriority: 3\n")
    wait_for(lambda: playground.ended() == 4, what="the pictures that waited")
    assert playground.stop(process) == 0
    assert len(playground.events("recipe.invalid")) == 1


def test_a_recipe_at_the_top_is_told_by_status_without_a_daemon(playground: Playground) -> None:
    """The log of a daemon said so before; status alone did not."""
    (playground.inbox / "recipe.yaml").write_text("style: a.png\n")
    for _ in range(2):
        said = playground.command("status").stdout
        assert "recipe.yaml is not followed" in said
        assert "a recipe is for a sub-folder of the inbox" in said
        assert playground.once().returncode == 0


def test_a_folder_without_a_recipe_is_told_how_to_get_one(playground: Playground) -> None:
    """So is a folder elsewhere."""
    (playground.inbox / "plain").mkdir()
    said = playground.command("check", str(playground.inbox / "plain"))
    assert (said.returncode, "`nstd recipe plain STYLE` makes one" in said.stdout) == (1, True)
    said = playground.command("check", str(playground.folder))
    assert (said.returncode, "outside the inbox" in said.stdout) == (1, True)


def test_init_makes_an_example_that_does_nothing_yet(playground: Playground) -> None:
    """All of its lines are comments; without the # of its lines it is a recipe."""
    root = playground.folder / "new"
    assert playground.command("init", str(root)).returncode == 0
    path = root / "inbox" / "example" / "recipe.yaml"
    (root / "inbox" / "example" / "photo.png").touch()
    said = playground.command("run", "--once", "-c", str(root))
    assert "recipe." not in said.stderr
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line.removeprefix("# ") for line in lines[4:]))
    Image.new("RGB", (16, 12), "orange").save(root / "styles" / "starry.jpg")
    checked = playground.command("check", "-c", str(root), str(path))
    assert checked.returncode == 0, checked.stdout
    path.unlink()
    assert playground.command("init", str(root)).returncode == 0
    assert not path.exists()


def test_a_failed_picture_of_a_recipe_is_made_by_retry(playground: Playground) -> None:
    """Its sidecar lies beside it then, and is not taken for two jobs; also where it was deleted."""
    for mode in ("keep", "delete"):
        folder = playground.inbox / mode
        playground.picture(f"{mode}/s.png", color="orange")
        playground.picture(f"{mode}/a.png", color="red")
        (folder / "recipe.yaml").write_text(
            f"style: s.png\npictures: {mode}\noptions: {{act: raise}}\n"
        )
    assert playground.once().returncode == 0
    for mode in ("keep", "delete"):
        assert playground.reason(f"{mode}/a")["code"] == "backend_failed"
        sidecar = playground.outbox / "failed" / mode / "a" / "a.yaml"
        sidecar.write_text(sidecar.read_text().replace("raise", '""'))
        assert playground.command("retry", f"{mode}/a").returncode == 0
    assert playground.once().returncode == 0
    assert {line["output"] for line in playground.events("job.finished")} == {"keep/a", "delete/a"}
    assert playground.once().returncode == 0
    assert playground.ended() == 4


def test_check_refuses_what_the_daemon_refuses(playground: Playground, style: Path) -> None:
    """Pictures outside the inbox, in a recipe and in a sidecar; and recipes that are links."""
    playground.picture("out/a.png", color="red")
    recipe = playground.inbox / "out" / "recipe.yaml"
    recipe.write_text(f"style: ../../{style.name}\n")
    done = playground.command("check", str(playground.inbox / "out"))
    assert done.returncode == 1
    assert "out/a.png: waits for the recipe" in done.stdout
    assert f"'../../{style.name}'" in done.stdout
    sidecar = playground.inbox / "b.yaml"
    sidecar.write_text(f"content: ../{style.name}\nstyle: ../{style.name}\n")
    done = playground.command("check", str(sidecar))
    assert done.returncode == 1
    assert "fine" not in done.stdout
    recipe.unlink()
    recipe.symlink_to(style)
    done = playground.command("check", str(playground.inbox / "out"))
    assert done.returncode == 1
    assert "out/recipe.yaml" in done.stdout
    assert "its pictures wait" in done.stdout


def test_the_inbox_may_be_named_in_the_name_of_a_folder(
    playground: Playground, style: Path
) -> None:
    """As `nstd check inbox/starry` has it; and one recipe at the top is not called a second one."""
    assert playground.command("recipe", "inbox/starry", str(style)).returncode == 0
    assert (playground.inbox / "starry" / "recipe.yaml").exists()
    (playground.inbox / "recipe.yaml").write_text("style: a.png\n")
    process = playground.start()
    wait_for(lambda: "sub-folder" in playground.command("status").stdout)
    assert "second recipe" not in playground.command("status").stdout
    assert playground.stop(process) == 0
