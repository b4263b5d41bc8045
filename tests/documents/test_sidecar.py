"""Sidecars: what they may say, and how a person is told what is wrong."""

from __future__ import annotations

import json
import pickle
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator
from support.tables import table

from nstd.documents.backend_options import parse_options
from nstd.documents.grid import GridSidecar
from nstd.documents.schema import sidecar_schema
from nstd.documents.sidecar import Sidecar, SidecarFile, StyleEntry, parse_sidecar
from nstd.errors import BackendError, NstdError, SidecarError


def parsed(text: str) -> SidecarFile:
    """The sidecar `text`, in a file called beach.yaml."""
    return parse_sidecar(text.encode(), "beach.yaml")


def complaints(text: str) -> list[str]:
    """The lines of the error for which the sidecar `text` is refused."""
    with pytest.raises(SidecarError) as caught:
        parsed(text)
    assert caught.value.code == "sidecar_invalid"
    assert caught.value.message.splitlines() == [str(each) for each in caught.value.problems]
    return caught.value.message.splitlines()


def pair(more: str) -> str:
    """A sidecar of two pictures with `more` in its third line."""
    return f"content: beach.jpg\nstyle: starry.jpg\n{more}\n"


FULL = """\
content: beach.jpg
style:
  - {image: starry.jpg, weight: 0.7, scale: 1.2}
  - scream.jpg
output: {name: beach-starry, size: 1024, format: png}
backend: gatys
options: {network: vgg19, content_weight: 0.02}
priority: 50
timeout: 30m
"""


def test_two_lines_are_a_whole_sidecar() -> None:
    """All but the pictures has a default."""
    sidecar = parsed("content: beach.jpg\nstyle: starry.jpg\n").sidecar
    assert sidecar == Sidecar(content="beach.jpg", style=[StyleEntry(image="starry.jpg")])
    assert sidecar.pictures == ["beach.jpg", "starry.jpg"]


def test_every_wish_can_be_said() -> None:
    """A mix of styles, the output, the backend with options, priority and time-out are read."""
    sidecar = parsed(FULL).sidecar
    assert [(each.image, each.weight, each.scale) for each in sidecar.style] == [
        ("starry.jpg", 0.7, 1.2),
        ("scream.jpg", 1.0, 1.0),
    ]
    said = sidecar.output.model_dump(exclude_none=True)
    assert said == {"name": "beach-starry", "size": 1024, "format": "png"}
    assert sidecar.options == {"network": "vgg19", "content_weight": 0.02}
    assert (sidecar.backend, sidecar.priority, sidecar.timeout) == ("gatys", 50, 1800)


def test_more_pictures_may_be_named() -> None:
    """Each with what it is for, and the style that it belongs to."""
    sidecar = parsed(
        "content: a.jpg\nstyle: [b.jpg, {image: c.jpg, region: d.png, mask: e.png}]\n"
        "init: f.jpg\nseries: [a.jpg, g.jpg]\n"
    ).sidecar
    assert [(each.label, each.source, each.role, each.style) for each in sidecar.references] == [
        ("content", "a.jpg", "content", None),
        ("style-1", "b.jpg", "style", 0),
        ("style-2", "c.jpg", "style", 1),
        ("region-2", "d.png", "region", 1),
        ("mask-2", "e.png", "mask", 1),
        ("init", "f.jpg", "init", None),
        ("series-1", "a.jpg", "series", None),
        ("series-2", "g.jpg", "series", None),
    ]


@table("style", ["a.jpg", "{image: a.jpg}", "[a.jpg]", "[{image: a.jpg}]", "\n- a.jpg"])
def test_a_style_has_short_forms(style: str) -> None:
    """A name, a mapping, and a list of either mean the same."""
    sidecar = parsed(f"content: b.jpg\nstyle: {style}\n").sidecar
    assert sidecar.style == [StyleEntry(image="a.jpg")]


@pytest.mark.parametrize(
    ("said", "format"), [("jpeg", "jpg"), ("JPG", "jpg"), (".png", "png"), ("tif", "tiff")]
)
def test_a_format_may_be_called_by_its_other_names(said: str, format: str) -> None:
    """As files are called."""
    assert parsed(pair(f"output: {{format: {said}}}")).sidecar.output.format == format


def test_a_key_without_a_value_is_as_good_as_absent() -> None:
    """A section whose lines are all commented out keeps its defaults."""
    sidecar = parsed(pair("options:\noutput:\ntimeout:\n# size: 5")).sidecar
    assert (sidecar.options, sidecar.output.size, sidecar.timeout) == ({}, None, None)


@table(
    ("line", "complaint"),
    [
        ("wieght: 2", "3:1: unknown key 'wieght'"),
        ("prioritty: 2", "3:1: unknown key 'prioritty'; did you mean 'priority'?"),
        ("size: 1024", "3:1: unknown key 'size'; it goes under output: `output: {size: ...}`"),
        ("name: x", "3:1: unknown key 'name'; it goes under output: `output: {name: ...}`"),
        ("weight: 2", "3:1: unknown key 'weight'; it goes under style: `style: {weight: ...}`"),
        (
            "strength: 0.9",
            "3:1: unknown key 'strength'; if it is an option of the backend: "
            "`options: {strength: ...}`",
        ),
        (
            "steps: 9",
            "3:1: unknown key 'steps'; if it is an option of the backend: `options: {steps: ...}`",
        ),
        (
            "output: {strength: 0.3}",
            "3:10: unknown key 'strength'; if it is an option of the backend: "
            "`options: {strength: ...}`",
        ),
        (
            "output: {priority: 9}",
            "3:10: unknown key 'priority'; it goes to the top level, not under output",
        ),
        ("output: {nmae: x}", "3:10: unknown key 'nmae'; did you mean 'name'?"),
        ("options: []", "3:10: options: expected a mapping of keys to values, got a list"),
        ("output: x.png", "3:9: output: expected a mapping of keys to values, got 'x.png'"),
        ("output: {name: 2024}", "3:16: name: expected text, got 2024; put it in quotes"),
        ("output: {name: a/b}", "3:16: name: must be a plain file name"),
        ("output: {name: .x}", "3:16: name: must be a plain file name"),
        ("output: {name: " + "é" * 101 + "}", "3:16: name: must be at most 200 bytes long"),
        ('output: {name: "a\\nb"}', "3:16: name: must not hold control characters"),
        ("output: {name: \u202egpj.exe}", "3:16: name: must not hold characters that cannot"),
        ('output: {name: "a\\u200bb"}', "3:16: name: must not hold characters that cannot"),
        ("output: {size: big}", "3:16: size: expected a whole number, got 'big'"),
        ("output: {size: 5.5}", "3:16: size: expected a whole number, got 5.5"),
        ("output: {size: 5}", "3:16: size: expected at least 16, got 5"),
        ("output: {size: 99999}", "3:16: size: expected at most 16384, got 99999"),
        (
            "output: {format: pgn}",
            "3:18: format: expected 'png', 'jpg', 'webp', 'tiff', 'mp4', 'webm', 'gif', 'apng' or "
            "'frames', got 'pgn'; did you mean 'png'?",
        ),
        ("output: {frames: 9..2}", "3:18: frames: expected two numbers of frames, from 1, the sma"),
        ("output: {frames: x}", "3:18: frames: expected the numbers of two frames, like 24..240"),
        (
            "output: {frames: 7}",
            "3:18: frames: expected the numbers of two frames, like 7..7 for th",
        ),
        (
            "init: clip.mp4#x",
            "3:7: init: must have the number of a frame behind the #, from 0: cli",
        ),
        (
            "init: a.gif#-1",
            "3:7: init: must have the number of a frame behind the #, from 0: a.gif#0",
        ),
        (
            "init: a.gif#1..4",
            "3:7: init: must have the number of a frame behind the #, from 0: a.gi",
        ),
        ("output: {every: 0}", "3:17: every: expected at least 1, got 0"),
        ("output: {fps: 0}", "3:15: fps: expected more than 0, got 0"),
        ("init: frames/", "3:7: init: must be a picture; only a content can be a folder"),
        ("priority: yes", "3:11: priority: expected a whole number, got 'yes'"),
        ("priority: '50'", "3:11: priority: expected a whole number, got '50'"),
        ("priority: true", "3:11: priority: expected a whole number, got true"),
        ("timeout: soon", "3:10: timeout: not a duration: 'soon'; write it like 90s"),
        ("timeout: 1:30", "3:10: timeout: not a duration: '1:30'"),
        ("timeout: [5]", "3:10: timeout: expected a duration, got a list"),
        ("timeout: -5", "3:10: timeout: expected at least 0, got -5"),
        ("timeout: 99999d", "3:10: timeout: expected at most 315360000, got '99999d'"),
        ("timeout: .nan", "3:10: timeout: not a duration: '.nan'"),
        ("backend: [a]", "3:10: backend: expected text, got a list"),
        ("init: /a.jpg", "3:7: init: must be relative to the sidecar"),
        ("init: [a.jpg]", "3:7: init: expected text, got a list"),
        ("series: a.jpg", "3:9: series: expected a list, got 'a.jpg'"),
        ("series: [a.jpg, .b.jpg]", "3:17: series: must not be a hidden file"),
        ("series: [" + "a," * 101 + "]", "3:9: series: expected at most 100 in the list, got 101"),
        ("region: sky.png", "3:1: unknown key 'region'"),
    ],
)
def test_each_mistake_has_its_place_and_its_cure(line: str, complaint: str) -> None:
    """One wrong line gives one message: file, line, column, what was expected, what came."""
    (only,) = complaints(pair(line))
    assert only.startswith(f"beach.yaml:{complaint}")


@table(
    ("style", "complaint"),
    [
        ("", "2:7: style: expected the name of a picture, or a mapping like {image: starry.jpg}"),
        ("5", "2:8: style: expected the name of a picture"),
        ("[]", "2:8: style: expected at least 1 in the list, got 0"),
        ("[" + "a," * 17 + "]", "2:8: style: expected at most 16 in the list, got 17"),
        ("[a, 5]", "2:12: style: expected the name of a picture"),
        ("{weight: 2}", "2:8: missing key 'image'"),
        ("[a, {weight: 2}]", "2:12: missing key 'image'"),
        ("{image: a, wieght: 2}", "2:19: unknown key 'wieght'; did you mean 'weight'?"),
        ("\n- image: a\n  wieght: 2", "4:3: unknown key 'wieght'; did you mean 'weight'?"),
        ("{image: a, weight: fast}", "2:27: weight: expected a number, got 'fast'"),
        ("[a, {image: b, weight: 0}]", "2:31: weight: expected more than 0, got 0"),
        ("{image: a, scale: 100}", "2:26: scale: expected at most 10, got 100"),
        ("/a.jpg", "2:8: style: must be relative to the sidecar, not an absolute path"),
        ("[a, /b.jpg]", "2:12: style: must be relative"),
        ("{image: /b.jpg}", "2:16: image: must be relative"),
        ("{image: a, regoin: b}", "2:19: unknown key 'regoin'; did you mean 'region'?"),
        ("[{image: a, region: /b.png}]", "2:28: region: must be relative to the sidecar"),
        ("{image: a, mask: [b, c]}", "2:25: mask: expected text, got a list"),
    ],
)
def test_places_are_right_in_every_form_of_style(style: str, complaint: str) -> None:
    """The short forms are filled in before they are checked, yet the places are the person's."""
    (only,) = complaints(f"content: beach.jpg\nstyle: {style}\n")
    assert only.startswith(f"beach.yaml:{complaint}")


@table(
    ("path", "complaint"),
    [
        ("''", "must be the name of a picture"),
        (".", "must be the name of a picture"),
        ("a/..", "must be the name of a picture"),
        ("/etc/passwd", "must be relative to the sidecar, not an absolute path"),
        (".hidden.jpg", "must not be a hidden file"),
        ("'a\\b.jpg'", "must have / between folders, not \\"),
        ('"a\\nb.jpg"', "must not hold control characters"),
        ("x/" + "é" * 128, "must have no name of more than 255 bytes"),
    ],
)
def test_bad_picture_names_are_refused_with_their_place(path: str, complaint: str) -> None:
    """What no picture can be called is refused before anything is looked for."""
    assert complaints(f"style: a\ncontent: {path}\n") == [f"beach.yaml:2:10: content: {complaint}"]


def test_all_mistakes_are_told_at_once_in_order() -> None:
    """A person corrects a file once, not once for each mistake."""
    lines = complaints(
        "timeout: soon\nstyle: [{wieght: 1, image: 5}]\ncolour: red\npriority: 101\n"
    )
    assert [line.split(": ", 1)[0] for line in lines] == [
        "beach.yaml:1:1",
        "beach.yaml:1:10",
        "beach.yaml:2:10",
        "beach.yaml:2:28",
        "beach.yaml:3:1",
        "beach.yaml:4:11",
    ]
    assert lines[0] == "beach.yaml:1:1: missing key 'content'"


def test_a_misspelt_key_is_not_also_called_missing() -> None:
    """One slip gives one message."""
    assert complaints("contnt: a.jpg\nstyle: b.jpg\n") == [
        "beach.yaml:1:1: unknown key 'contnt'; did you mean 'content'?"
    ]


def test_a_flood_of_mistakes_gives_a_short_message() -> None:
    """The message names the first twenty and counts the others, which stay on the error."""
    with pytest.raises(SidecarError) as caught:
        parsed(pair("".join(f"k{number}: 1\n" for number in range(50))))
    assert len(caught.value.problems) == 50
    assert caught.value.message.splitlines()[20:] == ["... and 30 more"]


def test_the_error_survives_a_pipe_between_processes() -> None:
    """Code, message, hint and problems come through pickling."""
    with pytest.raises(SidecarError) as caught:
        parsed("content: 5")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.code, copy.message, copy.hint, copy.problems) == (
        caught.value.code,
        caught.value.message,
        caught.value.hint,
        caught.value.problems,
    )


class Strokes(BaseModel):
    """Options with a union, a nested model and a validator of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Literal["draft", "fine"] = "fine"
    steps: int | Literal["auto"] = "auto"
    layers: Literal["all"] | Annotated[list[int], Field(min_length=1)] = "all"
    seed: int = Field(0, ge=0)
    entry: StyleEntry | None = None

    @field_validator("seed")
    @classmethod
    def _break(cls, seed: int) -> int:
        if seed == 13:
            raise RuntimeError("bad\nluck")
        return seed


def refused_options(options: str, defaults: dict[str, Any] | None = None) -> list[str]:
    """The lines of the error for which `Strokes` refuses `options`."""
    with pytest.raises(SidecarError) as caught:
        parse_options(parsed(pair(f"options: {options}")), Strokes, defaults)
    assert caught.value.code == "options_invalid"
    return caught.value.message.splitlines()


def test_options_lie_above_the_defaults_of_the_config() -> None:
    """The sidecar's word counts, then the config's, then the backend's."""
    source = parsed(pair("options: {steps: 5}"))
    options = parse_options(source, Strokes, {"steps": 9, "preset": "draft"})
    assert options == Strokes(steps=5, preset="draft")
    assert parse_options(parsed(pair("")), Strokes) == Strokes()


@table(
    ("options", "complaint"),
    [
        ("{presett: fine}", "3:11: unknown key 'presett'; did you mean 'preset'?"),
        ("{preset: fin}", "3:19: preset: expected 'draft' or 'fine', got 'fin'; did you mean"),
        ("{steps: x}", "3:18: steps: expected a whole number or 'auto', got 'x'"),
        ("{layers: []}", "3:19: layers: expected at least 1 in the list, got 0"),
        ("{steps: []}", "3:18: steps: expected a whole number or 'auto', got a list"),
        ("{layers: [1, x]}", "3:23: layers: expected a whole number, got 'x'"),
        ("{layers: none}", "3:19: layers: expected 'all' or a list, got 'none'"),
        ("\n  entry:\n    imagge: x", "5:5: unknown key 'imagge'; did you mean 'image'?"),
        ("{entry: {image: /x}}", "3:26: image: must be relative to the sidecar"),
        ("{seed: -1}", "3:17: seed: expected at least 0, got -1"),
    ],
)
def test_options_are_refused_with_their_place(options: str, complaint: str) -> None:
    """A backend's options are diagnosed like the sidecar's own keys."""
    (only,) = refused_options(options)
    assert only.startswith(f"beach.yaml:{complaint}")


def test_a_wrong_default_is_not_blamed_on_the_sidecar() -> None:
    """What the config says is told as the config's."""
    assert refused_options("{steps: 5}", {"steps": "x", "preset": "fin", "sed": 1}) == [
        "options from the config: preset: expected 'draft' or 'fine', got 'fin'; "
        "did you mean 'fine'?",
        "options from the config: unknown key 'sed'; did you mean 'seed'?",
    ]


def test_a_backend_that_breaks_over_its_options_harms_nobody() -> None:
    """An exception of a plugin's validator becomes a BackendError on one line."""
    with pytest.raises(BackendError, match=r"RuntimeError: bad\\nluck") as caught:
        parse_options(parsed(pair("options: {seed: 13}")), Strokes)
    assert caught.value.code == "backend_failed"


def test_the_schema_describes_every_form() -> None:
    """Editors learn the short forms, durations, limits and each backend's options."""
    schema = sidecar_schema({"strokes": Strokes, "other": StyleEntry}, default="strokes")
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["content"]
    assert schema["oneOf"] == [{"required": ["style"]}, {"required": ["styles"]}]
    assert set(schema["properties"]) == set(GridSidecar.model_fields)
    assert all(each["description"] for each in schema["properties"].values())
    name, mapping, several = schema["properties"]["style"]["anyOf"]
    assert name["type"] == "string"
    assert several["items"]["anyOf"] == [name, mapping]
    assert {"type": "null"} in schema["properties"]["timeout"]["anyOf"]
    assert any("pattern" in each for each in schema["properties"]["timeout"]["anyOf"])
    assert {"region", "mask"} < set(schema["$defs"]["StyleEntry"]["properties"])
    assert schema["properties"]["series"]["maxItems"] == 100
    other, strokes = schema["allOf"]
    assert other["if"]["required"] == ["backend"]
    assert "required" not in strokes["if"]
    reference = strokes["then"]["properties"]["options"]["$ref"].rpartition("/")[2]
    assert "preset" in schema["$defs"][reference]["properties"]


def test_the_schema_is_the_same_every_time() -> None:
    """The order in which plugins are found leaves no trace."""
    one = sidecar_schema({"a": Strokes, "b": StyleEntry})
    other = sidecar_schema({"b": StyleEntry, "a": Strokes})
    assert json.dumps(one) == json.dumps(other)


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    """No `$ref` points at a definition that is not there."""
    schema = sidecar_schema({"strokes": Strokes})
    for text in json.dumps(schema).split('"$ref": "#/$defs/')[1:]:
        assert text.partition('"')[0] in schema["$defs"]


@st.composite
def documents(draw: st.DrawFn) -> str:
    """YAML that parses, and mostly says something wrong."""
    keys = st.sampled_from([*Sidecar.model_fields, *StyleEntry.model_fields, "size", "x"])
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    trees = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)
    )
    return json.dumps(draw(st.dictionaries(keys, trees, max_size=6)))


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(documents() | st.text(max_size=100).map(lambda text: pair(f"timeout: {text}")))
def test_no_document_raises_anything_else(text: str) -> None:
    """Whatever a sidecar says, it is accepted or refused with places inside the file."""
    try:
        parse_options(parse_sidecar(text.encode("utf-8", "replace"), "b.yaml"), Strokes)
    except SidecarError as error:
        assert error.problems
        assert all(each.line >= 1 and each.column >= 1 for each in error.problems)
        assert all(str(each).isprintable() for each in error.problems)
    except NstdError as error:
        assert error.code == "backend_failed"
