"""`nstd check`: sidecars are validated without a run."""

from __future__ import annotations

import os

import pytest
from support.playground import Playground

from nstd.cli.excerpt import excerpt, lines_of
from nstd.documents.template import HEADER
from nstd.errors import Problem

GOOD = "content: beach.jpg\nstyle: starry.jpg\n"


def told(text: str) -> list[str]:
    """What is said, less the lines of the file that are shown."""
    return [line for line in text.splitlines() if not line.startswith(" ")]


def test_check_says_where_and_what_was_meant(playground: Playground) -> None:
    """File, line, column, what is wrong and the nearest right key; exit 1."""
    (playground.folder / "a.yaml").write_text("content: a.jpg\nstlye: b.jpg\noutput: {size: big}\n")
    done = playground.command("check", "a.yaml")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "a.yaml:2:1: unknown key 'stlye'; did you mean 'style'?",
        "    2 | stlye: b.jpg",
        "      | ^",
        "a.yaml:3:16: size: expected a whole number, got 'big'",
        "    3 | output: {size: big}",
        "      |                ^",
    ]
    assert done.stderr == ""


def test_check_goes_on_after_a_wrong_file(playground: Playground) -> None:
    """Every file is answered; one that is wrong decides the exit code."""
    (playground.folder / "good.yaml").write_text(GOOD)
    (playground.folder / "bad.yaml").write_text("content: [\n")
    done = playground.command("check", "bad.yaml", "absent.yaml", "good.yaml")
    assert done.returncode == 1
    bad, absent, *_, good = told(done.stdout)
    assert bad.startswith("bad.yaml:")
    assert absent == "absent.yaml: No such file or directory"
    assert good == "good.yaml: fine"
    assert playground.command("check", "good.yaml").returncode == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("backend: pupet\n", "did you mean puppet?"),
        ("backend: gatys\noptions: {presett: fine}\n", "did you mean 'preset'?"),
        ("options: {step: 3}\n", "did you mean 'steps'?"),
    ],
)
def test_check_asks_the_backend_too(playground: Playground, text: str, words: str) -> None:
    """An unknown backend, and options that the backend refuses, are found without a run."""
    (playground.folder / "a.yaml").write_text(GOOD + text)
    done = playground.command("check", "a.yaml")
    assert words in done.stdout
    assert done.returncode == 1


def test_check_tells_all_problems_at_once(playground: Playground) -> None:
    """Those of the options, too, when the sidecar is no good without them."""
    wish = "content: a.jpg\nprioritty: 7\nstyle: b.jpg\n"
    (playground.folder / "a.yaml").write_text(f"{wish}options: {{step: 3, pause: long}}\n")
    (playground.folder / "b.yaml").write_text(f"{wish}backend: pupet\n")
    (playground.folder / "c.yaml").write_text(f"{wish}backend: [puppet]\noptions: 3\n")
    done = playground.command("check", "a.yaml", "b.yaml", "c.yaml")
    assert [line.partition(": ")[0] for line in told(done.stdout)] == [
        *("a.yaml:2:1", "a.yaml:4:11", "a.yaml:4:27"),
        *("b.yaml:2:1", "b.yaml:4:10"),
        *("c.yaml:2:1", "c.yaml:4:10", "c.yaml:5:10"),
    ]


def test_check_notes_pictures_that_are_not_there(playground: Playground) -> None:
    """They may come later, or are misspelt; those of the library are there."""
    playground.picture("beach.jpg")
    (playground.root / "styles").mkdir(exist_ok=True)
    playground.picture("../styles/scream.png")
    sidecar = playground.inbox / "a.yaml"
    sidecar.write_text("content: beech.jpg\nstyle: scream\n")
    done = playground.command("check", str(sidecar))
    note, fine = told(done.stdout)
    assert note == f"{sidecar}:1:10: note: 'beech.jpg' is not there yet; did you mean 'beach.jpg'?"
    assert (fine, done.returncode) == (f"{sidecar}: fine", 0)


@pytest.mark.parametrize(
    ("said", "words", "code"),
    [
        ("'*.jpg'", "no picture is called '*.jpg'; a sidecar takes no patterns", 1),
        ("a.jpg, b.jpg", "several pictures are a list: [a.jpg, b.jpg]", 1),
        ("Chelsea.JPG", "did you mean 'chelsea.jpg'?", 0),
        ("sub/chelsea.jpg", "did you mean 'chelsea.jpg'?", 0),
        ("scraem.png", "did you mean 'scream.png'?", 0),
        ("~/photos/x.jpg", "content: must be relative to the sidecar: ~ is not your home", 1),
        ("https://x.org/x.jpg", "content: must be a file, not an address", 1),
        ("~x.png", "'~x.png' is never seen: names like '~x.png' are those of hidden", 1),
        ("a.jpg.part", "'a.jpg.part' is never seen", 1),
        ("old~/a.jpg", "names like 'old~' are those of", 1),
    ],
)
def test_check_says_which_names_are_hopeless_and_what_to_write(
    playground: Playground, said: str, words: str, code: int
) -> None:
    """With the place; even where a file of such a name is there."""
    playground.picture("chelsea.jpg")
    playground.picture("~x.png")
    playground.picture("../styles/scream.png")
    sidecar = playground.inbox / "a.yaml"
    sidecar.write_text(f"content: {said}\nstyle: scream\n")
    done = playground.command("check", str(sidecar))
    assert words in done.stdout
    assert f"{sidecar}:1:10: " in done.stdout
    assert done.returncode == code


def test_check_of_a_pattern_that_no_file_has_says_so(playground: Playground) -> None:
    """A shell that finds nothing passes it on as it is."""
    done = playground.command("check", "*.jpg", "*.yaml")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{name}: no file is called so, and no file of this pattern was found"
        for name in ("*.jpg", "*.yaml")
    ]


def test_check_takes_a_picture_that_is_called_like_a_pattern(playground: Playground) -> None:
    """Such a name is odd, and possible."""
    playground.picture("*.png")
    playground.picture("style.png")
    sidecar = playground.sidecar("a", content="*.png", style="style.png")
    done = playground.command("check", str(sidecar))
    assert (done.returncode, done.stdout) == (0, f"{sidecar}: fine\n")


def test_check_looks_for_pictures_where_the_daemon_will(playground: Playground) -> None:
    """From a folder of the inbox a sidecar may name what lies above it."""
    playground.picture("beach.png")
    playground.picture("sub/style.png")
    sidecar = playground.sidecar("sub/a", content="../beach.png")
    done = playground.command("check", str(sidecar))
    assert (done.returncode, done.stdout) == (0, f"{sidecar}: fine\n")


def test_check_of_a_picture_prints_none_of_its_bytes(playground: Playground) -> None:
    """By its name, and by what is in it."""
    picture = playground.picture("photo.jpg")
    other = picture.rename(playground.inbox / "photo.yaml")
    picture = playground.picture("photo.jpg")
    done = playground.command("check", str(picture), str(other))
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{picture} is a picture, and no sidecar or config; `nstd submit")
    assert second.startswith(f"{other}:1:1: not UTF-8 text")
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [("a.yaml.txt", "rename it to 'a.yaml'"), (".a.yaml", "is passed over in an inbox")],
)
def test_check_notes_a_name_that_the_inbox_would_not_take(
    playground: Playground, name: str, words: str
) -> None:
    """What it says may be fine all the same."""
    (playground.folder / name).write_text(GOOD)
    done = playground.command("check", name)
    assert f"{name}: note: " in done.stdout
    assert words in done.stdout


def test_check_takes_a_config_for_one(playground: Playground) -> None:
    """By its first line, or because it is the one in use."""
    done = playground.command("check", str(playground.config_path))
    assert (done.returncode, done.stdout) == (0, f"{playground.config_path}: fine, a config\n")
    (playground.folder / "c.yaml").write_text(f"{HEADER}watch: {{setle: 1s}}\n")
    done = playground.command("check", "c.yaml")
    assert done.returncode == 1
    assert "unknown key 'setle'; did you mean 'settle'?" in done.stdout


@pytest.mark.parametrize(
    ("line", "column", "shown", "mark"),
    [
        ("content: 完全.jpg", 12, "content: 完全.jpg", 13),
        ("a: \x1b[2J", 5, "a: \\x1b[2J", 7),
        (f"{'x' * 100}: y", 103, f"…{'x' * 85}: y", 88),
        (f"a: {'y' * 200}", 4, f"a: {'y' * 85}…", 3),
    ],
)
def test_a_mark_stands_below_its_place(line: str, column: int, shown: str, mark: int) -> None:
    """Below wide letters, escaped ones, and in a line of which only a part is shown."""
    lines = lines_of(f"# one\r\n{line}\n".encode())
    above, below = excerpt(lines, Problem("a", 2, column, "")).splitlines()
    assert (above, below) == (f"    2 | {shown}", f"      | {' ' * mark}^")
    assert excerpt(lines, Problem("a", 0, 0, "")) == excerpt(lines, Problem("a", 9, 1, "")) == ""


def test_check_needs_no_config(playground: Playground) -> None:
    """Where there is none, the defaults count."""
    (playground.folder / "a.yaml").write_text(GOOD)
    done = playground.command("check", "a.yaml", env={"NSTD_CONFIG": ""})
    assert (done.returncode, told(done.stdout)[-1]) == (0, "a.yaml: fine")


def test_check_survives_odd_files(playground: Playground) -> None:
    """Folders, FIFOs and names that are no text are answered, not opened or choked on."""
    (playground.folder / "folder.yaml").mkdir()
    os.mkfifo(playground.folder / "fifo.yaml")
    odd = playground.folder / os.fsdecode(b"\xff\n.yaml")
    odd.write_text("content: [\n")
    done = playground.command("check", ".", "folder.yaml", "fifo.yaml", str(odd))
    assert done.returncode == 1, done.stderr
    assert "'.' is a folder" in done.stdout
    assert "'folder.yaml' is a folder" in done.stdout
    assert "'fifo.yaml' is a FIFO" in done.stdout
    assert "/\\xff\\n.yaml:2:1:" in done.stdout
