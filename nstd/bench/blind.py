"""A blind test: unlabelled pairs of pictures on a page, for a person who says which is better.

The page is plain HTML and works from a file. Nothing on it tells which variant a picture is from:
pictures are written anew, under numbers and without what their files say of themselves. The key is
another file, with which the page counts the choices in the end.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jinja2 import Environment
from PIL import Image

from nstd.bench.columns import Column
from nstd.bench.comparison import Comparison
from nstd.bench.pairs import Pair
from nstd.bench.seen import load_seen
from nstd.documents.settings import LimitSettings

PAGE, KEY = "index.html", "key.json"
SIDE = 1024  # the most pixels of a picture's longest side
GIVEN = 256  # of content and style


@dataclass(frozen=True)
class Question:
    """Two pictures of one pair; `sides` are the columns that are shown left and right."""

    number: int
    pair: Pair
    sides: tuple[Column, Column]


def write_blind(
    comparison: Comparison, folder: Path, limits: LimitSettings, chance: random.Random
) -> int:
    """Write the page, its pictures and the key below `folder`; the number of questions.

    Each two columns meet once in each pair that both have a picture of, in random order. Raises
    PictureError for a picture that cannot be read.
    """
    asked = list(_questions(comparison, chance))
    folder.mkdir(parents=True, exist_ok=True)
    for question in asked:
        for name, path, side in _pictures(comparison, question):
            image = load_seen(path, limits, side)
            image.thumbnail((side, side), Image.Resampling.LANCZOS)
            image.save(folder / name)
    source = resources.files(__package__).joinpath("blind.html.j2").read_text("utf-8")
    page = Environment(autoescape=True).from_string(source).render(count=len(asked), key=KEY)
    (folder / PAGE).write_text(page, encoding="utf-8")
    key = {
        str(q.number): {"pair": q.pair.name, "left": q.sides[0].label, "right": q.sides[1].label}
        for q in asked
    }
    (folder / KEY).write_text(json.dumps(key, indent=2) + "\n", encoding="utf-8")
    return len(asked)


def _questions(comparison: Comparison, chance: random.Random) -> Iterator[Question]:
    """The questions, shuffled, and in each of them the sides."""
    found: list[tuple[Pair, tuple[Column, Column]]] = []
    for pair in comparison.pairs:
        made = [c for c in comparison.columns if comparison.cell(pair, c).picture]
        for one, other in itertools.combinations(made, 2):
            found.append((pair, (one, other) if chance.random() < 0.5 else (other, one)))
    chance.shuffle(found)
    for number, (pair, sides) in enumerate(found, 1):
        yield Question(number, pair, sides)


def _pictures(comparison: Comparison, question: Question) -> Iterator[tuple[str, Path, int]]:
    """The file name on the page, the path and the longest side of each picture."""
    number, pair = question.number, question.pair
    yield f"{number}-content.png", pair.content, GIVEN
    yield f"{number}-style.png", pair.style, GIVEN
    for side, column in zip(("left", "right"), question.sides, strict=True):
        path = comparison.cell(pair, column).picture
        assert path is not None  # the others are not asked about
        yield f"{number}-{side}.png", path, SIDE
