"""`nstd bench quality`: variants of pairs side by side, in figures and on sheets."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.playground import Playground, everything_from, wait_for
from support.plugins import install

from nstd.bench.grid import GAP

TINT = """
import time
from pydantic import BaseModel, ConfigDict
from nstd.backend import Progress, Result

class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    blue: float = 0.0
    fail: bool = False
    pause: float = 0.0

class Tint:
    '''The content with another amount of blue.'''

    name = "tint"
    size = 64
    Options = Options

    def run(self, task, report):
        if task.options.fail:
            raise RuntimeError("no tint today")
        time.sleep(task.options.pause)
        made = task.content.copy()
        made[:, :, 2] = task.options.blue
        report(Progress(step=1, steps=1, fraction=1.0, losses={"style": 0.25, "content": 0.5}))
        return Result(made, stopped="limit")
"""
JUDGE = """
import sys
from PIL import Image

def corner(path):
    return Image.open(path).convert("RGB").getpixel((0, 0))

result, content, style = map(corner, sys.argv[1:])
print(f"{sys.argv[1]}  blue {result[2]} (0.1 0.2)  same {int(result[:2] == content[:2])}")
"""
RED, GREEN, YELLOW = (200, 0, 0), (0, 160, 0), (220, 220, 0)


@pytest.fixture
def pairs(playground: Playground) -> Path:
    """A folder of two pairs: a wide red content and a high green one, each in yellow."""
    install(playground.site, "tint", TINT, attribute="Tint")
    playground.configure(jobs={"backend": "tint"})
    folder = playground.folder / "pairs"
    (folder / "photos").mkdir(parents=True)
    Image.new("RGB", (128, 64), RED).save(folder / "photos" / "red.png")
    Image.new("RGB", (64, 128), GREEN).save(folder / "green.png")
    Image.new("RGB", (100, 100), YELLOW).save(folder / "yellow.png")
    (folder / "wide.yaml").write_text("content: photos/red.png\nstyle: yellow.png\npriority: 3\n")
    (folder / "high.yaml").write_text("content: green.png\nstyle: [yellow.png]\noptions:\n")
    (folder / "notes.txt").write_text("no sidecar")
    return folder


def judge(playground: Playground, source: str = JUDGE) -> str:
    """The command line of a judge whose program is `source`."""
    path = playground.folder / "my judge.py"
    path.write_text(source)
    return f"{sys.executable} '{path}'"


def report(playground: Playground, out: str = "nstd-quality") -> dict[str, Any]:
    """What quality.json says."""
    found: dict[str, Any] = json.loads((playground.folder / out / "quality.json").read_text())
    return found


def cells(report: dict[str, Any], pair: str) -> dict[str, Any]:
    """The cells in the row of a pair, by label."""
    found: dict[str, Any] = next(row["cells"] for row in report["pairs"] if row["name"] == pair)
    return found


def boxes(path: Path, color: tuple[int, int, int]) -> list[tuple[int, int, int, int]]:
    """The rectangles of exactly `color` on a sheet, by their left, upper, width and height."""
    with Image.open(path) as sheet:
        pixels = sheet.convert("RGB").load()
        width, height = sheet.size
    assert pixels is not None

    def has(x: int, y: int) -> bool:
        return 0 <= x < width and 0 <= y < height and pixels[x, y] == color

    corners = [
        (x, y)
        for y in range(height)
        for x in range(width)
        if has(x, y) and not has(x - 1, y) and not has(x, y - 1)
    ]
    found = []
    for x, y in corners:
        wide = next(n for n in range(1, width) if not has(x + n, y))
        high = next(n for n in range(1, height) if not has(x, y + n))
        found.append((x, y, wide, high))
    return found


def test_each_variant_of_each_pair_is_made_and_measured(
    playground: Playground, pairs: Path
) -> None:
    """A column for each combination of values, on top of the pair's own options and `-o`."""
    before = {path: path.read_bytes() for path in pairs.rglob("*") if path.is_file()}
    done = playground.command(
        *("bench", "quality", str(pairs), "--vary", "blue=0,1"),
        *("--vary", "output.format=png,webp", "--size", "32", "-o", "timeout=5m"),
    )
    assert done.returncode == 0, done.stderr
    found = report(playground)
    labels = [f"blue={b},output.format={f}" for b in (0, 1) for f in ("png", "webp")]
    assert [column["label"] for column in found["columns"]] == labels
    assert [row["name"] for row in found["pairs"]] == ["high", "wide"]
    cell = cells(found, "wide")["blue=1,output.format=png"]
    with Image.open(cell["picture"]) as picture:
        assert picture.size == (32, 16)
        assert picture.convert("RGB").getpixel((0, 0)) == (200, 0, 255)
    assert cell["losses"] == {"style": 0.25, "content": 0.5}
    assert cell["steps"] == 1
    assert cell["stopped"] == "limit"
    assert cell["seconds"]["total"] > 0
    assert cell["peak_memory"]["process"] > 0
    kept = playground.folder / "nstd-quality" / "pictures" / labels[3]
    assert sorted(path.name for path in kept.iterdir()) == [
        *("high.json", "high.webp", "wide.json", "wide.webp")
    ]
    assert json.loads((kept / "wide.json").read_text())["settings"]["timeout"] == 300
    assert {path: path.read_bytes() for path in pairs.rglob("*") if path.is_file()} == before
    started = re.findall(r"job\.started +(\S+)", done.stderr)
    order = [f"{row}.{column}" for column in (1, 2, 3, 4) for row in (1, 2)]
    assert started == ["warm-up", *order]
    left = {path.name for path in (playground.folder / "nstd-quality").iterdir()}
    assert left == {"pictures", "quality.json", "sheet.png", "crops.png"}


def test_sheet_has_every_picture_in_its_place(playground: Playground, pairs: Path) -> None:
    """Columns content, style, others, variants; rows pairs; aspect kept, longest side `--thumb`."""
    others = playground.folder / "others"
    others.mkdir()
    Image.new("RGB", (40, 20), (9, 9, 99)).save(others / "wide.jpg", quality=100)
    done = playground.command(
        *("bench", "quality", str(pairs), "--vary", "blue=0,1", "--thumb", "80"),
        *("--compare", f"elsewhere={others}"),
    )
    assert done.returncode == 0, done.stderr
    sheet = playground.folder / "nstd-quality" / "sheet.png"
    left = [GAP + column * (80 + GAP) for column in range(5)]
    with Image.open(sheet) as picture:
        assert picture.width == left[-1] + 80 + GAP
        content_row = picture.convert("RGB")
    (_, high_top, *_), (_, wide_top, *_) = boxes(sheet, YELLOW)
    assert high_top < wide_top
    # content and the variant without blue, then the variant with all of it
    assert boxes(sheet, GREEN) == [(left[0], high_top, 40, 80), (left[3], high_top, 40, 80)]
    assert boxes(sheet, RED) == [(left[0], wide_top, 80, 40), (left[3], wide_top, 80, 40)]
    assert boxes(sheet, (0, 160, 255)) == [(left[4], high_top, 40, 80)]
    assert boxes(sheet, (200, 0, 255)) == [(left[4], wide_top, 80, 40)]
    assert [box[0] for box in boxes(sheet, YELLOW)] == [left[1]] * 2
    red, _, blue = content_row.getpixel((left[2] + 40, wide_top + 20))  # type: ignore[misc]
    assert blue > 80 > red
    assert content_row.getpixel((left[2] + 40, high_top + 70)) == content_row.getpixel((2, 2))


def test_crops_show_pixels_as_they_are(playground: Playground, pairs: Path) -> None:
    """Two rows a pair: 256 pixels around the calmest and the busiest spot of the content."""
    photo = Image.new("RGB", (1000, 500), RED)
    photo.paste(Image.effect_noise((264, 260), 90).convert("RGB"), (736, 240))
    photo.save(pairs / "photos" / "red.png")
    (pairs / "high.yaml").unlink()
    done = playground.command("bench", "quality", str(pairs), "--size", "1000")
    assert done.returncode == 0, done.stderr
    crops = playground.folder / "nstd-quality" / "crops.png"
    calm = [box for box in boxes(crops, RED) if box[2:] == (256, 256)]
    assert [box[0] for box in calm] == [GAP + column * (256 + GAP) for column in (0, 2)]
    with Image.open(crops) as picture:
        assert picture.width == GAP + 3 * (256 + GAP)
        busy = picture.crop((GAP + 6, 400, GAP + 256, 540)).convert("L").getextrema()
    assert busy[1] - busy[0] > 100  # type: ignore[operator]


def test_judge_is_asked_about_every_picture(playground: Playground, pairs: Path) -> None:
    """Its `word number` pairs are figures of variants and of other pictures, with means."""
    others = playground.folder / "others"
    others.mkdir()
    Image.new("RGB", (4, 4), (200, 0, 50)).save(others / "wide.png")
    done = playground.command(
        *("bench", "quality", str(pairs), "--vary", "blue=0,1", "--out", "here"),
        *("--compare", f"elsewhere={others}", "--judge", judge(playground)),
    )
    assert done.returncode == 0, done.stderr
    found = report(playground, "here")
    assert cells(found, "wide")["blue=1"]["figures"] == {"blue": 255, "same": 1}
    assert cells(found, "wide")["elsewhere"]["figures"] == {"blue": 50, "same": 1}
    assert cells(found, "high")["elsewhere"]["picture"] is None
    means = {label: mean["figures"].get("blue") for label, mean in found["means"].items()}
    assert means == {"elsewhere": 50, "blue=0": 0, "blue=1": 255}
    assert [mean["pictures"] for mean in found["means"].values()] == [1, 2, 2]
    assert "blue 255.000" in done.stdout


def test_blind_writes_a_page_of_unlabelled_pairs(playground: Playground, pairs: Path) -> None:
    """Beside the sheets, and says where it is."""
    done = playground.command("bench", "quality", str(pairs), "--vary", "blue=0,1", "--blind")
    assert done.returncode == 0, done.stderr
    assert "choose, without labels, in 2 pairs: nstd-quality/blind/index.html" in done.stderr
    key = json.loads((playground.folder / "nstd-quality" / "blind" / "key.json").read_text())
    assert {frozenset((each["left"], each["right"])) for each in key.values()} == {
        frozenset(("blue=0", "blue=1"))
    }


def test_table_without_a_judge_shows_seconds_and_last_losses(
    playground: Playground, pairs: Path
) -> None:
    """Plain text away from a terminal: rows pairs, columns variants, the mean last."""
    done = playground.command("bench", "quality", str(pairs), "--vary", "blue=0,0.5,1")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert lines[0] == ["pair", "blue=0", "blue=0.5", "blue=1"]
    starts = [line[0] for line in lines if line[0] in {"high", "wide", "mean"}]
    assert starts == ["high", "wide", "mean"]
    assert done.stdout.count("style 0.250") == done.stdout.count("content 0.500") == 9
    assert all(len(line) < 80 for line in done.stdout.splitlines())


def test_json_is_the_content_of_the_file(playground: Playground, pairs: Path) -> None:
    """`--json` prints what quality.json says, and nothing else, on standard output."""
    done = playground.command("bench", "quality", str(pairs), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == report(playground)
    assert [column["label"] for column in report(playground)["columns"]] == ["nstd"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import sys; sys.exit('out of wits')", "exit status 1: out of wits"),
        ("print('nothing to say')", "no figures in 'nothing to say'"),
    ],
)
def test_judge_that_fails_does_not_lose_the_pictures(
    playground: Playground, pairs: Path, source: str, words: str
) -> None:
    """The error has its code and a hint; pictures, sheets and report are there."""
    done = playground.command("bench", "quality", str(pairs), "--judge", judge(playground, source))
    assert done.returncode == 1
    assert words in done.stderr
    assert "[judge_failed]" in done.stderr
    assert "COMMAND RESULT CONTENT STYLE" in done.stderr
    assert Path(cells(report(playground), "wide")["nstd"]["picture"]).is_file()
    assert (playground.folder / "nstd-quality" / "sheet.png").is_file()


def test_picture_that_fails_leaves_the_others(playground: Playground, pairs: Path) -> None:
    """Its cell says why, on the sheet too, and the exit code is 1."""
    done = playground.command("bench", "quality", str(pairs), "--vary", "fail=true,false")
    assert done.returncode == 1
    assert "wide, fail=true: " in done.stderr
    assert "no tint today" in done.stderr
    found = report(playground)
    assert cells(found, "wide")["fail=true"]["failed"]["code"] == "backend_failed"
    assert Path(cells(found, "wide")["fail=false"]["picture"]).is_file()
    assert [mean["pictures"] for mean in found["means"].values()] == [0, 2]


def test_run_that_is_ended_keeps_what_is_made(playground: Playground, pairs: Path) -> None:
    """SIGTERM: the pictures so far are shown, the others are told to be missing."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nstd", "bench", "quality", str(pairs), "--vary", "pause=0,600"],
        env=playground.environment | {"NSTD_CONFIG": str(playground.config_path)},
        cwd=playground.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: list(playground.folder.glob("nstd-quality/.nstd-*/outbox/1.1*/1.1*.json")))
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 1
    found = report(playground)
    assert Path(cells(found, "high")["pause=0"]["picture"]).is_file()
    assert cells(found, "high")["pause=600"]["failed"]["code"] == "cancelled"
    assert "high, pause=600: not made: the run ended before [cancelled]" in told


def test_folder_that_cannot_be_used_is_refused_first(playground: Playground, pairs: Path) -> None:
    """Absent, without sidecars, with a bad one, a missing picture, or an option nobody takes."""

    def refused(folder: Path, *more: str) -> str:
        done = playground.here("bench", "quality", str(folder), *more)
        assert done.returncode == 1
        assert not (playground.folder / "nstd-quality").exists()
        return done.stderr

    assert "absent: No such file or directory [not_found]" in refused(pairs / "absent")
    assert "there are no sidecars [not_found]" in refused(pairs / "photos")
    told = refused(pairs, "--vary", "bleu=1")
    assert "high with bleu=1" in told
    assert "[options_invalid]" in told
    assert "expected KEY=VALUE" in refused(pairs, "-o", "blue")
    (pairs / "wide.yaml").write_text("content: photos/reed.png\nstyle: yellow.png\n")
    told = refused(pairs)
    assert "wide.yaml: there is no picture 'photos/reed.png'" in told
    assert "[picture_missing]" in told
    (pairs / "wide.yaml").write_text("content: photos/red.png\nstile: yellow.png\n")
    assert "wide.yaml:2:1: " in refused(pairs)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--vary", "blue"], "expected KEY=A,B,..."),
        (["--vary", "blue=0,,1"], "an empty value"),
        (["--vary", "blue=1,1"], "two columns are called"),
        (["--compare", "x=absent"], "no such folder"),
        (["--compare", "x=nstd-quality/pictures/nstd"], "choose another --out"),
        (["--judge", "'open"], "No closing quotation"),
        (["--judge", ""], "the command is empty"),
        (["--blind"], "--blind needs two columns"),
    ],
)
def test_command_line_that_is_wrong_is_refused(
    playground: Playground, pairs: Path, arguments: list[str], words: str
) -> None:
    """Exit code 2, and words that say what to write instead."""
    (playground.folder / "nstd-quality" / "pictures" / "nstd").mkdir(parents=True)
    done = playground.here("bench", "quality", str(pairs), *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_styles_of_the_library_are_found(playground: Playground, pairs: Path) -> None:
    """The config's own folders of styles and networks are used; its root is left alone."""
    (pairs / "yellow.png").rename(playground.styles / "sun.png")
    for name, content in (("wide", "photos/red.png"), ("high", "green.png")):
        (pairs / f"{name}.yaml").write_text(f"content: {content}\nstyle: sun\n")
    done = playground.command("bench", "quality", str(pairs))
    assert done.returncode == 0, done.stderr
    assert report(playground)["pairs"][0]["style"] == str(playground.styles / "sun.png")
    assert [path.name for path in playground.outbox.glob("*")] == ["logs"]


def test_terminal_shows_bars_and_a_table_that_fits(playground: Playground, pairs: Path) -> None:
    """A bar a picture and the judge's on standard error, and lines of at most its width."""
    ours, theirs = pty.openpty()
    vary = ("--vary", "blue=0.125,0.25,0.5", "--vary", "output.format=png,webp")
    command = ("bench", "quality", str(pairs), *vary, "--judge", judge(playground))
    process = subprocess.Popen(
        [sys.executable, "-m", "nstd", *command],
        env=playground.environment
        | {"TERM": "xterm", "COLUMNS": "80", "NSTD_CONFIG": str(playground.config_path)},
        cwd=playground.folder,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = everything_from(ours)
    assert process.wait(timeout=120) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert "warm-up" in text
    assert "judging" in text
    assert "daemon.started" not in text
    table = text[text.rindex("pair") :].splitlines()
    assert all(len(line) <= 80 for line in table)
    assert any(line.split()[:1] == ["mean"] for line in table)
