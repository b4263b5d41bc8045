"""Grids: what a sidecar with lists makes, how its jobs are called, and what is refused."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from nstd.backends.registry import Backends
from nstd.documents.axis import Axis, describe, name_members, size_of
from nstd.documents.config import Config
from nstd.documents.grid import GridFile, parse_grid, takes_list
from nstd.documents.names import NAME_BYTES
from nstd.documents.sidecar import parse_sidecar
from nstd.documents.sidecar_writer import dump
from nstd.errors import SidecarError
from nstd.intake.plan import Plan, make_plan, safe_name

PLUGINS = Backends()


class Options(BaseModel):
    """Options of every kind."""

    model_config = ConfigDict(extra="forbid")
    weight: float = 1
    mode: str | None = None
    layers: list[str] | str = []
    pair: tuple[int, int] | None = None
    table: dict[str, list[int]] = {}
    loose: Any = None


def parsed(text: str) -> GridFile:
    """The grid `text`, in a file called studies.yaml."""
    return parse_grid(text.encode(), "studies.yaml")


def planned(text: str, **jobs: Any) -> Plan:
    """What the daemon makes of it."""
    return make_plan("studies.yaml", parsed(text), Config.at(Path(), jobs=jobs), PLUGINS)


FULL = """\
content: [beach.jpg, sub/pier.jpg]
styles: [starry.jpg, [{image: scream.jpg, weight: 0.5}, waves.jpg]]
options: {style_weight: [0.5, 1], seed: 3}
"""


def test_every_combination_is_a_job_of_its_own() -> None:
    """With a name that can be read, its own options, and what tells it from the others."""
    plan = planned(FULL)
    assert [member.order.name for member in plan.members] == [
        *("beach-starry-0.5", "beach-starry-1", "beach-scream+waves-0.5", "beach-scream+waves-1"),
        *("pier-starry-0.5", "pier-starry-1", "pier-scream+waves-0.5", "pier-scream+waves-1"),
    ]
    last = plan.members[-1]
    assert last.order.options["style_weight"] == 1
    assert last.order.options["seed"] == 3
    assert last.axes == {
        "content": "sub/pier.jpg",
        "style": "scream.jpg 0.5 + waves.jpg",
        "options.style_weight": 1,
    }
    assert [entry.weight for entry in last.parsed.sidecar.style] == [0.5, 1]
    assert describe(plan.axes) == "content 2 × style 2 × options.style_weight 2"


def test_a_sidecar_without_lists_is_one_job() -> None:
    """A list under `style` is a mix, and a list for an option that takes lists is its value."""
    text = "content: a.jpg\nstyle: [b.jpg, c.jpg]\noptions: {style_layers: [s0, s1]}\n"
    file = parsed(text.replace("\noptions: {style_layers: [s0, s1]}", ""))
    assert make_plan("x.yaml", file, Config.at(Path()), PLUGINS).axes == ()
    assert parsed("content: a.jpg\nstyle: b.jpg\n").pictures == ["a.jpg", "b.jpg"]
    assert [axis.key for axis in parsed(text).axes(PLUGINS.get("gatys").Options)] == []


def test_only_an_option_that_takes_no_list_is_an_axis() -> None:
    """Whether its own type has a list anywhere in it, save inside a mapping."""
    kinds = {name: takes_list(field.annotation) for name, field in Options.model_fields.items()}
    assert kinds == {
        **{"weight": False, "mode": False, "table": False},
        **{"layers": True, "pair": True, "loose": True},
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (FULL + "style: x.jpg\n", "4:8: style: stands beside styles; say one of the two"),
        (FULL.replace("1]", "x]"), "3:31: style_weight: expected a number, got 'x'"),
        (FULL.replace("1]", "0.5]"), "3:31: style_weight: stands twice in the list"),
        (FULL.replace("0.5, 1]", "]"), "3:25: style_weight: expected at least 1 in the list"),
        (FULL.replace("seed", "sed"), "3:35: unknown key 'sed'; did you mean 'seed'?"),
        ("content: []\nstyle: x.jpg\n", "1:10: content: expected at least 1 in the list, got 0"),
        ("content: [a.jpg, a.jpg]\nstyle: x.jpg\n", "1:18: content: stands twice in the list"),
        ("content: [a.jpg, /b.jpg]\nstyle: x\n", "1:18: content: must be relative to the sidecar"),
        ("content: a.jpg\nstyles: x.jpg\n", "2:9: styles: expected a list, got 'x.jpg'"),
        ("content: a.jpg\nstyles: []\n", "2:9: styles: expected at least 1 in the list, got 0"),
        ("content: a.jpg\nstyles: [x, {imag: y}]\n", "2:14: unknown key 'imag'; did you mean"),
    ],
)
def test_what_is_wrong_with_a_grid_is_told_with_its_place(text: str, complaint: str) -> None:
    """Each value of a list is judged as it would be alone, and told once."""
    with pytest.raises(SidecarError) as caught:
        planned(text)
    assert str(caught.value.problems[0]).startswith(f"studies.yaml:{complaint}")
    assert len(caught.value.problems) == len(set(caught.value.problems))


def test_a_picture_that_no_backend_takes_is_told_where_it_stands() -> None:
    """Also inside a list of styles."""
    text = "content: a.jpg\nstyles: [x.jpg, {image: y.jpg, mask: m.png}]\nbackend: color-transfer\n"
    with pytest.raises(SidecarError, match=r"studies.yaml:2:32: mask: the backend"):
        planned(text)


def test_a_member_cannot_be_a_grid() -> None:
    """The key that nstd writes for members has no place beside lists."""
    batch = "batch: {id: 20260101-120000-abcdef, name: x, index: 0, of: 1, axes: {}}\n"
    with pytest.raises(SidecarError, match="a member of a batch is one job"):
        planned(FULL + batch)


@pytest.mark.parametrize(
    "batch",
    [
        "{id: ../../x, name: x, index: 0, of: 1, axes: {}}",
        "{id: 20260101-120000-abcdef, name: ../x, index: 0, of: 1, axes: {}}",
        "{id: 20260101-120000-abcdef, name: x, index: -1, of: 1, axes: {}}",
    ],
)
def test_a_forged_membership_is_refused(batch: str) -> None:
    """Ids and names of batches become paths."""
    with pytest.raises(SidecarError):
        parsed(f"content: a.jpg\nstyle: b.jpg\nbatch: {batch}\n")


@st.composite
def grids(draw: st.DrawFn) -> str:
    """Sidecars with lists of any length, of names that are often alike."""
    stems = st.text("ab-é漢İ", min_size=1, max_size=4)
    names = st.builds(
        lambda folder, stem: f"{folder}{stem}.jpg", st.sampled_from(["", "x/"]), stems
    )
    lists = st.lists(names, min_size=1, max_size=4, unique=True)
    numbers = st.integers(0, 9) | st.floats(0, 9).map(lambda number: round(number, 2))
    weights = st.lists(numbers, min_size=1, max_size=4, unique_by=json.dumps)
    wish: dict[str, Any] = {"content": draw(lists | names)}
    mixes = st.lists(names | lists, min_size=1, max_size=3, unique_by=json.dumps)
    wish |= draw(st.fixed_dictionaries({"styles": mixes}) | st.fixed_dictionaries({"style": lists}))
    wish["options"] = draw(
        st.fixed_dictionaries({}, optional={"style_weight": weights, "seed": st.just([1, 2])})
    )
    return json.dumps(wish, ensure_ascii=False)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 1


@settings(max_examples=150)
@given(grids())
def test_the_members_are_the_product_of_the_lists(text: str) -> None:
    """As many as it has elements, each once, all of different names, each a valid sidecar."""
    said = json.loads(text)
    plan = planned(text, grid_max=500)
    wanted = math.prod(
        _length(value) for value in (said["content"], said.get("styles"), *said["options"].values())
    )
    if not plan.axes:
        assert wanted == 1
        return
    assert len(plan.members) == size_of(plan.axes) == wanted
    names = [member.order.name.casefold() for member in plan.members]
    assert len(set(names)) == len(names)
    assert len({json.dumps(member.axes) for member in plan.members}) == wanted
    assert [tuple(member.axes.values()) for member in plan.members] == list(
        itertools.product(*(axis.recorded_values for axis in plan.axes))
    )
    for member in plan.members:
        value = {**member.parsed.document.value, "output": {"name": member.order.name}}
        again = parse_sidecar(dump(value), "x.yaml").sidecar
        assert again.references == member.parsed.sidecar.references
        assert again.output.name == member.order.name


@settings(max_examples=60)
@given(grids(), st.integers(1, 40))
def test_a_product_beyond_the_cap_is_refused_with_both_numbers(text: str, most: int) -> None:
    """Before anything is made of it."""
    size = size_of(parsed(text).axes(PLUGINS.get("gatys").Options))
    if size <= most:
        planned(text, grid_max=most)
        return
    with pytest.raises(SidecarError) as caught:
        planned(text, grid_max=most)
    assert caught.value.code == "grid_too_large"
    assert f"makes {size} jobs; jobs.grid_max is {most}" in caught.value.message


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=6, unique=True))
@settings(max_examples=100)
def test_names_are_names_whatever_the_values(values: list[str]) -> None:
    """Texts of options may hold anything; a name fits into the outbox, with its number."""
    axis = Axis(("options", "mode"), ("options", "mode"), values)
    part = parse_sidecar(b"content: a.jpg\nstyle: b.jpg\n", "x.yaml")
    names = name_members([part] * len(values), [axis], safe_name)
    assert len({name.casefold() for name in names}) == len(values)
    for name in names:
        assert len(name.encode()) <= NAME_BYTES
        assert name.isprintable() and "/" not in name
