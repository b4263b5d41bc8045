"""The blind test of `nstd bench quality --blind`: unlabelled pairs, a form, and a key."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from support.browser import driver, needs_chromium

from nstd.bench.blind import KEY, PAGE, write_blind
from nstd.bench.columns import Column
from nstd.bench.comparison import Cell, Comparison
from nstd.bench.pairs import Pair, read_pairs
from nstd.documents.settings import LimitSettings

__all__ = ["driver"]
NASTY = "<script>alert(1)</script>"
LABELS = ("first", NASTY, "third")


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    """Two pairs in three columns; the last column has a picture of one pair only."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name in ("one", "two"):
        Image.new("RGB", (60, 40), "tan").save(folder / f"{name}.png")
        (folder / f"{name}.yaml").write_text(f"content: {name}.png\nstyle: paint.png\n")
    Image.new("RGB", (30, 30), "purple").save(folder / "paint.png")
    pairs = read_pairs(folder, tmp_path)
    columns = [Column(label) for label in LABELS]
    cells = {
        (pair.name, column.label): Cell(picture=made(tmp_path, pair, number))
        for pair in pairs
        for number, column in enumerate(columns)
    }
    cells["two", "third"] = Cell()
    return Comparison(pairs, columns, cells)


def made(folder: Path, pair: Pair, number: int) -> Path:
    """A picture whose file tells how it was made; its colour tells the column."""
    path = folder / f"{pair.name}-{LABELS[number][:5].strip('<')}.png"
    told = PngImagePlugin.PngInfo()
    told.add_text("how", LABELS[number])
    Image.new("RGB", (60, 40), (50 * number, 0, 0)).save(path, pnginfo=told)
    return path


def test_each_two_columns_meet_once_in_each_pair(comparison: Comparison, tmp_path: Path) -> None:
    """Where both have a picture; the key tells which file is which."""
    folder = tmp_path / "blind"
    assert write_blind(comparison, folder, LimitSettings(), random.Random(1)) == 4
    key = json.loads((folder / KEY).read_text())
    met = sorted((each["pair"], *sorted((each["left"], each["right"]))) for each in key.values())
    assert met == sorted(
        (pair, *sorted(two))
        for pair, two in (
            ("one", ("first", NASTY)),
            ("one", ("first", "third")),
            ("one", (NASTY, "third")),
            ("two", ("first", NASTY)),
        )
    )
    for number, each in key.items():
        for side in ("left", "right"):
            with Image.open(folder / f"{number}-{side}.png") as picture:
                assert picture.getpixel((0, 0)) == (50 * LABELS.index(each[side]), 0, 0)


def test_nothing_but_the_key_tells_the_variant(comparison: Comparison, tmp_path: Path) -> None:
    """Neither the page, nor the name of a file, nor what a picture says of itself."""
    folder = tmp_path / "blind"
    write_blind(comparison, folder, LimitSettings(), random.Random(1))
    for path in folder.iterdir():
        if path.name != KEY:
            assert not any(label.encode() in path.read_bytes() for label in LABELS), path
    names = {path.name for path in folder.glob("*.png")}
    assert names == {
        f"{n}-{what}.png" for n in range(1, 5) for what in ("content", "style", "left", "right")
    }


def test_sides_and_order_are_drawn(comparison: Comparison, tmp_path: Path) -> None:
    """Else whoever looks would soon know."""
    keys = set()
    for seed in range(8):
        write_blind(comparison, tmp_path / "blind", LimitSettings(), random.Random(seed))
        keys.add((tmp_path / "blind" / KEY).read_text())
    assert len(keys) > 4


@pytest.fixture
def page(
    driver: webdriver.Chrome, comparison: Comparison, tmp_path: Path
) -> Iterator[webdriver.Chrome]:
    """The page in a browser, from the disk."""
    write_blind(comparison, tmp_path / "blind", LimitSettings(), random.Random(1))
    driver.get((tmp_path / "blind" / PAGE).as_uri())
    yield driver
    driver.get("about:blank")


@needs_chromium
def test_the_page_counts_the_choices_with_the_key(page: webdriver.Chrome, tmp_path: Path) -> None:
    """Who always chooses the same variant reads so; names are text, not markup."""
    path = tmp_path / "blind" / KEY
    for number, each in json.loads(path.read_text()).items():
        sides = {each["left"]: "left", each["right"]: "right"}
        chosen = sides.get(NASTY, "neither")
        page.find_element(By.CSS_SELECTOR, f"input[name='{number}'][value='{chosen}']").click()
    assert page.find_element(By.ID, "answered").text == "4 of 4 answered"
    page.find_element(By.ID, "key").send_keys(str(path))
    WebDriverWait(page, 60).until(lambda _: page.find_elements(By.CSS_SELECTOR, "#result tr"))
    rows = [row.text for row in page.find_elements(By.CSS_SELECTOR, "#result tr")]
    assert rows[0] == "variant chosen of"
    assert rows[1] == f"{NASTY} 3 3"
    assert set(rows[2:]) == {"first 0.5 3", "third 0.5 2"}
