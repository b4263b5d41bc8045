"""What nstd writes as YAML, its own strict reader reads as the same values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.tables import table

from nstd.client import samples
from nstd.documents import strict_yaml
from nstd.documents.sidecar_writer import dump
from nstd.errors import SidecarError
from nstd.outbox.gallery.recipe import as_sidecar
from nstd.outbox.record import Record

WORDS = (
    "1e3 1E3 .5 5. -0 +1 010 0x1f 0o17 1_000 1:30 .inf .nan ~ null Null true True yes no on off y n"
    " = - -- --- ... ? : # #a a:b a#b *a &a !a !!str | > % @ ` ' \" [ ] { } , << "
)
HOSTILE = [
    *WORDS.split(),
    "",
    " ",
    " a",
    "a ",
    "a: b",
    "a #b",
    "- a",
    "a\nb",
    "a\n",
    "\n",
    "a\tb",
    "\r\n",
    "2026-11-28",
    "2026-11-28 10:00:00",
    "null ",
    "trüb",
    "ä: ö",
    "\ufeff",
    "😀 a",
    "a  b" * 50,
    "x" * 300,
    "12345678901234567890",
    "\x00",
    "\x85",
    "\u2028",
    "\udc80",
]
texts = st.sampled_from(HOSTILE) | st.text()
scalars = texts | st.integers() | st.floats() | st.booleans() | st.none()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20
)
mappings = st.dictionaries(texts, values, min_size=1)
patient = settings(suppress_health_check=[HealthCheck.too_slow])


def types(value: Any) -> Any:
    """The types within a value: 1, 1.0 and True are equal to Python, and not to a backend."""
    if isinstance(value, dict):
        return {key: types(item) for key, item in value.items()}
    return [types(item) for item in value] if isinstance(value, list) else type(value)


def can_be_said(value: Any) -> bool:
    """Whether a sidecar can hold the value."""
    if isinstance(value, dict):
        return "<<" not in value and can_be_said([*value, *value.values()])
    if isinstance(value, list):
        return all(map(can_be_said, value))
    if isinstance(value, str):
        return strict_yaml.UNPRINTABLE.search(value) is None
    return not isinstance(value, float | int) or (math.isfinite(value) and abs(value) < 10**18)


def read(data: bytes) -> Any:
    """What the strict reader finds in a text."""
    return strict_yaml.read(data, "x.yaml").value


@patient
@given(mappings)
def test_every_value_is_read_back_or_refused(mapping: dict[str, Any]) -> None:
    """Refused are only NaN, infinity, long integers, control characters and `<<` as a key."""
    try:
        text = dump(mapping)
    except SidecarError:
        assert not can_be_said(mapping)
        return
    assert read(text) == mapping
    assert types(read(text)) == types(mapping)


@table("text", [text for text in HOSTILE if can_be_said(text)])
def test_texts_that_look_like_something_else_stay_texts(text: str) -> None:
    """As values, in lists, and as keys."""
    mapping = {"a": text, "b": [text]} | ({text: "c"} if text != "<<" else {})
    assert read(dump(mapping)) == mapping


def test_a_value_that_stands_twice_needs_no_anchor() -> None:
    """Sidecars must have none; the same list may be the contents and the series."""
    names = ["a.jpg", "b.jpg"]
    assert read(dump({"content": names, "series": names})) == {"content": names, "series": names}


@patient
@given(texts, texts, scalars)
def test_a_recipe_of_the_gallery_says_what_the_record_says(
    content: str, style: str, value: Any
) -> None:
    """Whatever its files and values are called, such as `1e3`; or there is no recipe."""
    record = {
        "inputs": {"content": {"file": content}, "styles": [{"file": style}]},
        "settings": {"backend": "gatys", "options": {"preset": value}},
    }
    if recipe := as_sidecar(Record.model_validate(record)):
        said = read(recipe.encode())
        assert isinstance(said["content"], str) and isinstance(said["style"], str)
        assert said.get("options", {}).get("preset") == value


def test_the_recipe_of_a_style_that_looks_like_a_number_names_this_style() -> None:
    """`style: 1e3` would be read as a number, and refused."""
    inputs = {"content": {"file": "beach.jpg"}, "styles": [{"file": "1e3"}]}
    recipe = as_sidecar(Record.model_validate({"inputs": inputs, "settings": {"backend": "gatys"}}))
    assert read(recipe.encode())["style"] == "1e3"


@pytest.mark.parametrize("text", ["1e3", "no", "a: b", "null", "😀"])
def test_the_sidecars_of_the_samples_say_what_was_wished(tmp_path: Path, text: str) -> None:
    """`nstd demo` gives them the backend and the options of its command line."""
    for path in samples.copy_to(tmp_path, {"options": {"preset": text}}):
        content, style = samples.PAIRS[path.stem]
        options = {"preset": text}
        assert read(path.read_bytes()) == {"content": content, "style": style, "options": options}
