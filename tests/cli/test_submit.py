"""`nstd submit`: a pair is copied into the inbox, the sidecar last."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
import yaml
from PIL import Image
from support.cinema import pictures as moving
from support.cinema import save_gif
from support.playground import Playground


@pytest.fixture
def pictures(playground: Playground) -> Path:
    """A folder with two pictures of a person's own."""
    folder = playground.folder / "mine"
    folder.mkdir()
    for name, color in (("beach.png", "teal"), ("starry.png", "navy")):
        Image.new("RGB", (16, 12), color).save(folder / name)
    return folder


def wishes(path: Path) -> dict[str, object]:
    """What a sidecar says."""
    said: dict[str, object] = yaml.safe_load(path.read_text())
    return said


def test_submit_copies_the_pair_and_a_run_makes_the_picture(
    playground: Playground, pictures: Path
) -> None:
    """Two pictures and a sidecar, named after both; nothing else is left in the inbox."""
    done = playground.command("submit", "mine/beach.png", "mine/starry.png")
    assert done.returncode == 0, done.stderr
    sidecar = playground.inbox / "beach-in-starry.yaml"
    assert done.stdout == f"submitted {sidecar}\n"
    assert wishes(sidecar) == {"content": "beach.png", "style": "starry.png"}
    assert {path.name for path in playground.inbox.iterdir()} == {
        *("beach.png", "starry.png", "beach-in-starry.yaml", ".sidecar.schema.json"),
    }
    playground.once()
    assert playground.record("beach-in-starry")["inputs"]["content"]["file"] == "beach.png"


@pytest.mark.parametrize("action", ["archive", "delete"])
def test_submit_leans_on_no_picture_that_is_about_to_go(
    playground: Playground, pictures: Path, action: str
) -> None:
    """Each sidecar has pictures of its own, which go with its job."""
    playground.configure(jobs={"pictures": action})
    for _ in range(2):
        assert playground.command("submit", "mine/beach.png", "mine/starry.png").returncode == 0
    named = [wishes(path) for path in sorted(playground.inbox.glob("*.yaml"))]
    assert len({str(wish[role]) for wish in named for role in ("content", "style")}) == 4
    assert playground.once().returncode == 0
    assert len(playground.events("job.finished")) == 2
    assert not list(playground.inbox.glob("*.png"))


def test_submit_takes_any_key_of_the_sidecar_and_of_the_options(
    playground: Playground, pictures: Path
) -> None:
    """`-o key=value`, by dots; a key of nobody else is an option of the backend."""
    given = {
        "output.name": "no",
        "output.size": "64",
        "priority": "90",
        "timeout": "30m",
        "steps": "3",
        "options.pause": "0.5",
        "attempts_file": "1e3",
    }
    arguments = [word for key, value in given.items() for word in ("-o", f"{key}={value}")]
    arguments += ["-o", 'output.name="no"', "-o", 'attempts_file="1e3"']
    done = playground.command("submit", "mine/beach.png", "mine/starry.png", *arguments)
    assert done.returncode == 0, done.stderr
    playground.once()
    record = playground.record("no")
    assert record["settings"]["size"] == 64
    assert record["settings"]["priority"] == 90
    assert record["settings"]["timeout"] == 1800
    assert record["settings"]["options"]["steps"] == 3
    assert record["settings"]["options"]["pause"] == 0.5
    assert record["settings"]["options"]["attempts_file"] == "1e3"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("output.sise=3", "unknown key 'sise'; did you mean 'size'?"),
        ("step=3", "unknown key 'step'; did you mean 'steps'?"),
        ("steps=many", "steps: expected a whole number, got 'many'"),
        ("priority=101", "priority: expected at most 100, got 101"),
        ("backend=pupet", "did you mean puppet?"),
        ("steps", "expected KEY=VALUE"),
        ("priority.high=1", "priority: expected a whole number"),
    ],
)
def test_submit_refuses_what_the_daemon_would_refuse(
    playground: Playground, pictures: Path, option: str, words: str
) -> None:
    """Before anything is copied: exit code 1, the key and what was meant."""
    done = playground.command("submit", "mine/beach.png", "mine/starry.png", "-o", option)
    assert done.returncode == 1
    assert words in done.stderr
    assert not list(playground.inbox.iterdir())


def test_submit_takes_a_style_of_the_library(playground: Playground, pictures: Path) -> None:
    """By its name, and says so when there is none."""
    (pictures / "starry.png").rename(playground.styles / "starry-night.png")
    done = playground.command("submit", "mine/beach.png", "starry-night")
    assert done.returncode == 0, done.stderr
    sidecar = playground.inbox / "beach-in-starry-night.yaml"
    assert wishes(sidecar)["style"] == "starry-night"
    absent = playground.command("submit", "mine/beach.png", "starry-nihgt")
    assert absent.returncode == 1
    assert "'starry-nihgt': no such picture file" in absent.stderr


def test_submit_of_other_bytes_under_a_taken_name_overwrites_nothing(
    playground: Playground, pictures: Path
) -> None:
    """The second picture and the second sidecar get numbers; the same bytes are not copied."""
    first = playground.command("submit", "mine/beach.png", "mine/starry.png")
    before = (playground.inbox / "beach.png").read_bytes()
    Image.new("RGB", (16, 12), "red").save(pictures / "beach.png")
    second = playground.command("submit", "mine/beach.png", "mine/starry.png")
    assert first.returncode == second.returncode == 0, second.stderr
    assert (playground.inbox / "beach.png").read_bytes() == before
    assert wishes(playground.inbox / "beach-in-starry-2.yaml") == {
        "content": "beach-2.png",
        "style": "starry.png",
    }
    assert len(list(playground.inbox.glob("starry*"))) == 1


@pytest.mark.parametrize("name", [".hidden.png", "beach.png.part", "beach.yaml"])
def test_submit_refuses_a_name_that_the_inbox_passes_over(
    playground: Playground, pictures: Path, name: str
) -> None:
    """Its job would wait for a picture that is never seen."""
    (pictures / "beach.png").rename(pictures / name)
    done = playground.command("submit", f"mine/{name}", "mine/starry.png")
    assert done.returncode == 1
    assert not list(playground.inbox.iterdir())


def test_submit_names_the_job(playground: Playground, pictures: Path) -> None:
    """`--name` names the sidecar, and so the result."""
    done = playground.command("submit", "mine/beach.png", "mine/starry.png", "--name", "first")
    assert done.stdout == f"submitted {playground.inbox / 'first.yaml'}\n"


def test_submit_without_the_picture_is_a_wrong_command_line(playground: Playground) -> None:
    """Exit code 2, and the name."""
    done = playground.command("submit", "absent.png", "x.png")
    assert done.returncode == 2
    assert "'absent.png' does not exist" in done.stderr


@pytest.mark.parametrize(
    ("kind", "role", "words"),
    [
        ("film", "content", "odd: broken or truncated"),
        ("film", "style", "odd is a film, and no picture"),
        ("animation", "style", "one of its frames: mine/odd#0"),
        ("empty", "content", "odd is empty"),
        ("empty", "style", "odd is empty"),
        ("fifo", "content", "odd is a pipe or FIFO"),
        ("fifo", "style", "odd is a pipe or FIFO"),
        ("folder", "content", "odd: a folder without files"),
        ("folder", "style", "odd is a folder"),
        ("/dev/zero", "content", "/dev/zero is a device"),
        ("/dev/zero", "style", "/dev/zero is a device"),
    ],
)
def test_submit_refuses_what_is_no_picture_at_once(
    playground: Playground, pictures: Path, kind: str, words: str, role: str
) -> None:
    """Nothing is copied, and nothing waits for ever."""
    odd = pictures / "odd"
    if kind == "film":
        odd.write_bytes(b"\0\0\0\x20ftypisom" + bytes(1000))
    elif kind == "animation":
        frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
        frames[0].save(odd, "GIF", save_all=True, append_images=frames[1:])
    elif kind == "empty":
        odd.touch()
    elif kind == "fifo":
        os.mkfifo(odd)
    elif kind == "folder":
        odd.mkdir()
    name = kind if kind.startswith("/") else "mine/odd"
    pair = (name, "mine/starry.png") if role == "content" else ("mine/beach.png", name)
    done = playground.command("submit", *pair)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert not [path for path in playground.inbox.iterdir() if not path.name.startswith(".")]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("cut JPEG", "is truncated"),
        ("cut PNG", "broken or truncated"),
        ("damaged PNG", "broken or truncated"),
        ("cut BMP", "broken or truncated"),
        ("too many pixels", "more than the limit of 500 pixels"),
        ("too many bytes", "more than the limit of 1KiB"),
    ],
)
def test_submit_refuses_a_picture_in_the_words_in_which_its_job_would_fail(
    playground: Playground, harm: str, words: str
) -> None:
    """At once, and nothing is copied; the same file beside a sidecar fails so."""
    what, kind = harm.rsplit(" ", 1) if harm[-1].isupper() else (harm, "PNG")
    buffer = io.BytesIO()
    Image.effect_noise((40, 30), 50).convert("RGB").save(buffer, kind)
    data = bytearray(buffer.getvalue())
    if what == "cut":
        del data[len(data) * 2 // 3 :]
    elif what == "damaged":
        data[len(data) // 2] ^= 0xFF
    elif "pixels" in what:
        playground.configure(limits={"picture_pixels": 500})
    else:
        playground.configure(limits={"picture_bytes": "1KiB"})
    odd, style = playground.folder / "odd.pic", playground.folder / "style.png"
    odd.write_bytes(data)
    Image.new("RGB", (16, 12), "navy").save(style)
    done = playground.command("submit", str(odd), str(style))
    assert done.returncode == 1
    assert words in done.stderr
    assert not [path for path in playground.inbox.iterdir() if not path.name.startswith(".")]
    (playground.inbox / "odd.pic").write_bytes(data)
    playground.pair("job", content="odd.pic")
    playground.once()
    said = playground.reason("job")
    assert f"[{said['code']}]" in done.stderr
    if "bytes" not in what:  # that is refused before it is copied
        assert f"{playground.folder}/{said['message']} [" in done.stderr
        assert said["hint"] in done.stderr


def test_submit_refuses_a_size_that_the_content_cannot_be_enlarged_to(
    playground: Playground, pictures: Path
) -> None:
    """Four times is the most."""
    done = playground.command("submit", "mine/beach.png", "mine/starry.png", "--size", "65")
    assert done.returncode == 1
    assert "output.size 65 is more than 4 times that [picture_refused]" in done.stderr
    done = playground.command("submit", "mine/beach.png", "mine/starry.png", "--size", "64")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["a/b", "../x", "", ".x", "a\\b", "x" * 201, "~x", "x\n"])
def test_submit_refuses_a_name_that_no_result_can_have(
    playground: Playground, pictures: Path, name: str
) -> None:
    """It is not changed in silence; what a name may be is said."""
    done = playground.command("submit", "mine/beach.png", "mine/starry.png", "--name", name)
    assert done.returncode == 1
    assert "no / and no \\, at most 200 bytes" in done.stderr
    assert not list(playground.inbox.iterdir())


def test_submit_refuses_a_network_without_weights(
    playground: Playground, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the job would fail for it."""
    env = {"TORCH_HOME": str(playground.folder / "torch")}
    arguments = ("mine/beach.png", "mine/starry.png", "-o", "backend=gatys", "-o", "network=vgg16")
    done = playground.command("submit", *arguments, env=env)
    assert done.returncode == 1
    assert "nstd networks install vgg16" in done.stderr
    assert "[weights_missing]" in done.stderr


def test_submit_says_that_no_daemon_runs(playground: Playground, pictures: Path) -> None:
    """And how it read several pictures."""
    done = playground.command("submit", "mine/beach.png", "mine/starry.png", "mine/starry.png")
    assert "no daemon runs on this root" in done.stderr
    assert "read as: each of beach.png, starry.png, in the style of starry.png" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "size=1024"), "size is no option: say --size 1024"),
        (("-o", "name=my 'beach'"), """--name 'my '"'"'beach'"'"''"""),
        (("-o", "format=jpg"), "format is no option: say -o output.format=jpg"),
        (("-o", "frames=1..2"), "frames is no option: say -o output.frames=1..2"),
        (("--frames", "5"), "frames: expected the numbers of two frames, like 5..5"),
        (("--every", "2"), "every: is for films, and 'beach.png' is a picture"),
        (("-o", "pause=0.5,0.7"), "--grid makes a job of each of several values"),
        (("-o", "pause=0,7"), "expected a number, got '0,7'; write 0.7, with a point"),
        (("-o", "pause=70%"), "expected a number, got '70%'; write 0.7"),
        (("-o", "style=x"), "it comes last: nstd submit CONTENT... STYLE"),
        (("-o", "step=3"), "did you mean 'steps'?"),
        (("--size", "3"), "size: expected at least 16, got 3"),
    ],
)
def test_submit_says_where_a_key_belongs(
    playground: Playground, pictures: Path, arguments: tuple[str, ...], words: str
) -> None:
    """On the command line; the list of backends is pointed at where it helps alone."""
    done = playground.command("submit", "mine/beach.png", "mine/starry.png", *arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert ("nstd backends" in done.stderr) is ("step=3" in arguments)
    assert not list(playground.inbox.glob("*.png"))


def test_submit_takes_a_frame_of_a_film_and_what_is_chosen_of_one(
    playground: Playground, pictures: Path
) -> None:
    """The film is copied once, whatever its frames are for; a frame that it has not is refused."""
    save_gif(pictures / "loop.gif", moving(3))
    still = ("mine/loop.gif#1", "mine/loop.gif#2", "--name", "still", "--format", "jpg")
    chosen = ("--format", "webp", "--frames", "2..3", "--every", "1", "--fps", "2.5")
    film = ("mine/loop.gif", "mine/starry.png", "--name", "film", *chosen)
    for arguments in (still, film):
        done = playground.command("submit", *arguments)
        assert done.returncode == 0, done.stderr
    assert wishes(playground.inbox / "still.yaml") == {
        "content": "loop.gif#1",
        "style": "loop.gif#2",
        "output": {"format": "jpg"},
    }
    assert wishes(playground.inbox / "film.yaml")["output"] == {
        "format": "webp",
        "frames": "2..3",
        "every": 1,
        "fps": 2.5,
    }
    assert len(list(playground.inbox.glob("*.gif"))) == 1
    wrong = playground.command("submit", "mine/loop.gif#7", "mine/starry.png")
    assert wrong.returncode == 1
    assert "mine/loop.gif: it has 3 frames, and no #7" in wrong.stderr
    assert "name one from #0 to #2" in wrong.stderr
    absent = playground.command("submit", "mine/gone.gif#0", "mine/starry.png")
    assert absent.returncode == 2
    assert "'mine/gone.gif' does not exist" in absent.stderr


def test_submit_takes_a_size_and_mixes_several_styles(
    playground: Playground, pictures: Path
) -> None:
    """It says how it read them."""
    Image.new("RGB", (16, 12), "red").save(pictures / "scream.png")
    styles = ("--style", "mine/starry.png", "--style", "mine/scream.png")
    done = playground.command("submit", "mine/beach.png", *styles, "--size", "48")
    assert done.returncode == 0, done.stderr
    assert "read as: beach.png, in a mix of the styles starry.png, scream.png\n" in done.stderr
    assert wishes(playground.inbox / "beach-in-starry+scream.yaml") == {
        "content": "beach.png",
        "style": ["starry.png", "scream.png"],
        "output": {"size": 48},
    }


# Grids


@pytest.fixture
def more(pictures: Path) -> tuple[str, ...]:
    """Two contents and two styles."""
    for name, color in (("pier.png", "brown"), ("scream.png", "red")):
        Image.new("RGB", (16, 12), color).save(pictures / name)
    contents = ("mine/beach.png", "mine/pier.png")
    return (*contents, "--style", "mine/starry.png", "--style", "mine/scream.png")


def test_submit_grid_writes_one_sidecar_with_lists(
    playground: Playground, more: tuple[str, ...]
) -> None:
    """Several contents, styles and values of an option; the daemon makes a job of each."""
    options = ("-o", "steps=1,2", "-o", "pause=0")
    done = playground.command("submit", "--grid", *more, *options, "--name", "studies")
    assert done.returncode == 0, done.stderr
    sidecar = playground.inbox / "studies.yaml"
    assert done.stdout == f"submitted {sidecar}\n"
    assert wishes(sidecar) == {
        "content": ["beach.png", "pier.png"],
        "styles": ["starry.png", "scream.png"],
        "options": {"steps": [1, 2], "pause": 0},
    }
    checked = playground.command("check", str(sidecar))
    assert checked.stdout.endswith("fine, makes 8 jobs (content 2 × style 2 × options.steps 2)\n")
    playground.once()
    assert len(playground.events("job.finished")) == 8


def test_submit_grid_of_pictures_of_one_name(playground: Playground, pictures: Path) -> None:
    """They get names of their own in the inbox, and so are no list with the same thing twice."""
    (pictures / "other").mkdir()
    Image.new("RGB", (16, 12), "red").save(pictures / "other" / "beach.png")
    contents = ("mine/beach.png", "mine/other/beach.png")
    done = playground.command("submit", "--grid", *contents, "mine/starry.png")
    assert done.returncode == 0, done.stderr
    said = wishes(playground.inbox / "beach-grid.yaml")
    assert said == {"content": ["beach.png", "beach-2.png"], "style": "starry.png"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--grid", "starry-in-nothing"), "no such picture file"),
        (("--grid", "mine/starry.png", "-o", "steps=1,1"), "stands twice in the list"),
        (("--grid", "mine/starry.png", "-o", "steps=1,x"), "expected a whole number"),
    ],
)
def test_submit_refuses_what_makes_no_grid(
    playground: Playground, pictures: Path, arguments: tuple[str, ...], words: str
) -> None:
    """Before anything is copied."""
    done = playground.command("submit", "mine/beach.png", *arguments)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert not list(playground.inbox.glob("*.png"))


def test_submit_refuses_a_grid_beyond_the_cap(
    playground: Playground, more: tuple[str, ...]
) -> None:
    """With the product and the cap."""
    playground.configure(jobs={"grid_max": 3})
    done = playground.command("submit", "--grid", *more)
    assert done.returncode == 1
    assert "makes 4 jobs; jobs.grid_max is 3 [grid_too_large]" in done.stderr
    assert "shorten the lists" in done.stderr
