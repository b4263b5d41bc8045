"""The contact sheet: rows and columns, bounds, and names of any script."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.cinema import pictures, save_gif

from nstd.outbox.contact_sheet import CELL, LONGEST, arrange, draw, make_loader
from nstd.queue.batch import Batch, BatchPaths, End, Member


def batch(axes: dict[str, list[Any]], name: str = "studies") -> Batch:
    """A batch whose members have all finished."""
    of = math.prod(map(len, axes.values()))
    end = End(state="finished", output="studies/x", picture="x.png")
    members = tuple(Member(job="", name=f"member-{n}", axes={}, end=end) for n in range(of))
    return Batch(
        **{"id": "20260101-120000-abcdef", "folder": "", "sidecar": "s.yaml"},
        **{"submitted": 0.0, "claimed": 0.0},
        name=name,
        axes=axes,
        members=members,
    )


def plain(member: Member, side: int) -> Image.Image:
    """A red picture of 3:2, as large as it may be."""
    return Image.new("RGB", (side, max(1, side * 2 // 3)), "red")


@pytest.mark.parametrize(
    ("counts", "table"),
    [((2, 2, 2), (2, 4)), ((2, 3), (2, 3)), ((4, 1), (1, 4)), ((3,), (1, 3)), ((1,), (1, 1))],
)
def test_the_axes_are_rows_and_columns(counts: tuple[int, ...], table: tuple[int, int]) -> None:
    """As square as can be, rather wide than high, and with a heading for each."""
    layout = arrange(batch({f"axis{n}": list(range(count)) for n, count in enumerate(counts)}))
    assert (layout.rows, layout.columns) == table
    assert not layout.captions
    assert len(layout.row_heads) in (0, layout.rows)
    assert len(layout.column_heads) in (0, layout.columns)


def test_one_long_axis_flows_in_lines() -> None:
    """A strip could not be looked at: each picture has its name below it."""
    layout = arrange(batch({"content": [f"{n}.jpg" for n in range(30)]}))
    assert (layout.rows, layout.columns) == (5, 6)
    assert layout.captions[7] == "member-7"


@settings(max_examples=25)
@given(st.lists(st.integers(1, 25), min_size=1, max_size=3).filter(lambda c: math.prod(c) <= 500))
def test_no_sheet_is_too_large(counts: list[int]) -> None:
    """Cells shrink, down to what 500 of them leave, and none is left out."""
    made = batch({f"axis{n}": list(range(count)) for n, count in enumerate(counts)})
    sides: list[int] = []

    def load(member: Member, side: int) -> Image.Image:
        sides.append(side)
        return Image.new("RGB", (side, side), "red")

    sheet = draw(made, load)
    assert max(sheet.size) <= LONGEST
    assert len(sides) == math.prod(counts)
    assert all(1 <= side <= CELL for side in sides)


def test_pictures_stand_in_the_order_of_the_members() -> None:
    """Row by row, the last axis fastest."""
    made = batch({"content": ["a.jpg", "b.jpg"], "options.seed": [1, 2]})
    colors = iter(["red", "lime", "blue", "white"])
    sheet = draw(made, lambda member, side: Image.new("RGB", (90, 90), next(colors)))
    found = []
    for y in range(sheet.height):
        for x in range(sheet.width):
            pixel = sheet.getpixel((x, y))
            if pixel in {(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)}:
                found += [pixel] if pixel not in found else []
    assert found == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]


def test_a_long_name_in_a_heading_hides_no_value() -> None:
    """Each axis has a line of its own, and only that is cut off."""
    made = batch({"content": ["a", "b"], "style": ["x" * 90], "options.strength": [0.3, 0.7]})
    sheet = draw(made, lambda member, side: Image.new("RGB", (120, 120), "red"))
    layout = arrange(made)
    assert layout.column_heads == tuple(f"{'x' * 90}\nstrength {value}" for value in (0.3, 0.7))
    title = 40
    left, right = (
        sheet.crop((sheet.width - x, title, sheet.width - x + 120, layout.top)) for x in (264, 132)
    )
    assert left.tobytes() != right.tobytes()


def test_of_an_option_in_a_narrow_heading_the_value_stays() -> None:
    """Its name is cut off before it."""
    made = batch({"content": ["a", "b"], "options.content_weight": [0.05, 0.06]})
    sheet = draw(made, lambda member, side: Image.new("RGB", (100, 100), "red"))
    left, right = (
        sheet.crop((x, 40, x + 120, 64)) for x in (-264 % sheet.width, -132 % sheet.width)
    )
    assert left.tobytes() != right.tobytes()


def test_a_failed_member_is_an_empty_cell_with_its_code(tmp_path: Path) -> None:
    """So is one whose picture somebody took away, or that cannot be decoded."""
    load = make_loader(tmp_path, 10**6, 10**6)
    failed = End(state="failed", output="failed/x", code="out_of_memory")
    made = batch({"content": ["a.jpg"]})
    member = made.members[0].model_copy(update={"end": failed})
    assert load(member, 100) == "out_of_memory"
    assert load(made.members[0], 100) == "no picture"
    (tmp_path / "studies" / "x").mkdir(parents=True)
    (tmp_path / "studies" / "x" / "x.png").write_bytes(b"\x89PNG\r\n")
    assert load(made.members[0], 100) == "no picture"
    Image.new("RGBA", (300, 150), (0, 0, 0, 0)).save(tmp_path / "studies" / "x" / "x.png")
    picture = load(made.members[0], 100)
    assert isinstance(picture, Image.Image)
    assert picture.size == (100, 50)
    assert picture.getpixel((5, 5)) == (255, 255, 255)
    assert max(draw(made, lambda member, side: "lost").size) <= LONGEST


def test_a_film_is_shown_by_its_poster(tmp_path: Path) -> None:
    """Which lies in its folder of previews."""
    folder = tmp_path / "studies" / "x"
    save_gif(folder / "x.gif", pictures(2))
    (folder / "preview").mkdir()
    Image.new("RGB", (40, 20), "red").save(folder / "preview" / "result.webp")
    end = End(state="finished", output="studies/x", picture="x.gif")
    member = batch({"content": ["a.gif"]}).members[0].model_copy(update={"end": end})
    shown = make_loader(tmp_path, 10**6, 10**6)(member, 100)
    assert isinstance(shown, Image.Image)
    assert shown.size == (40, 20)


@settings(max_examples=40)
@given(st.lists(st.text(max_size=400), min_size=1, max_size=4), st.text(max_size=400))
def test_any_text_can_be_drawn(values: list[str], name: str) -> None:
    """Every script, line ends, halves of characters, and more than there is room for."""
    assert max(draw(batch({"content": values}, name), plain).size) <= LONGEST


@pytest.mark.parametrize(
    "name", ["海辺", "пляж", "شاطئ", "ทะเล", "🏖\u200d🌊", "a\nb\tc\0", "\udcff"]
)
def test_names_of_any_script_can_be_drawn(name: str) -> None:
    """Where the font has no such letter, it draws a box."""
    draw(batch({"content": [name, "b"], "options.mode": [name]}, name), plain)


def test_the_process_draws_what_lies_in_the_folders(tmp_path: Path) -> None:
    """As the daemon starts it: the sheet is where it was told."""
    paths = BatchPaths(tmp_path / "b")
    paths.ends.mkdir(parents=True)
    paths.manifest.write_text(batch({"content": ["a.jpg"]}).model_dump_json())
    target = tmp_path / "sheet.png"
    arguments = [str(paths.folder), str(tmp_path), str(target), "1000000", "1000000"]
    subprocess.run(
        [sys.executable, "-m", "nstd.outbox.contact_sheet", *arguments], check=True, timeout=120
    )
    with Image.open(target) as picture:
        picture.load()
