"""Strict YAML: what it reads, where it says things are, and what it refuses."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.tables import table

from nstd.documents import strict_yaml
from nstd.documents.document import Document, DocumentError
from nstd.documents.strict_yaml import MAX_BYTES, MAX_DEPTH, read
from nstd.errors import printable

PARSERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]


@pytest.fixture(params=PARSERS, ids=lambda loader: loader.__name__, autouse=True)
def parser(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test runs with the parser in C and with the one in Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_yaml, "LOADER", request.param)
        yield


def value(text: str) -> object:
    """The value of `text`, read as the value of a key."""
    return read(f"key: {text}\n".encode(), "f.yaml").value["key"]


def problems(data: bytes | str) -> list[str]:
    """The problems for which `data` is refused, each as the line that a person sees."""
    with pytest.raises(DocumentError) as caught:
        read(data.encode() if isinstance(data, str) else data, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


@table(
    ("text", "expected"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("0", 0),
        ("-17", -17),
        ("+5", 5),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("2.", 2.0),
        (" [1, a, [~]]", [1, "a", [None]]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
        ("'true'", "true"),
        ('"1"', "1"),
        ('"\\u00e9\\n"', "é\n"),
        ("|\n  a\n  b", "a\nb\n"),
    ],
)
def test_values_follow_yaml_1_2(text: str, expected: object) -> None:
    """Constants, decimal numbers, text and collections are read as the core schema says."""
    assert value(text) == expected
    assert type(value(text)) is type(expected)


@table(
    "text",
    [
        "no",
        "yes",
        "on",
        "off",
        "y",
        "1:30",
        "0x1F",
        "0o17",
        "010",
        "1_000",
        "2026-11-23",
        "1.2.3",
        ".nan",
        ".inf",
        "-.inf",
        "nan",
        "Infinity",
        "-a",
        "+",
        ".",
        "1e",
        "tRue",
        "=",
        "007.5",
    ],
)
def test_surprises_of_yaml_1_1_are_text(text: str) -> None:
    """What older YAML turns into booleans, octals, dates, seconds or NaN stays text."""
    assert value(text) == text


def test_places_are_known() -> None:
    """Every key and value has its line and column; an absent one has its nearest parent's."""
    document = read("a: 1\nb:\n  - x\n  - {é: [2], d: 3}\n".encode(), "f.yaml")
    assert document.mark(()) == (1, 1)
    assert document.mark(("a",)) == (1, 4)
    assert document.mark(("b",), key=True) == (2, 1)
    assert document.mark(("b", 1)) == (4, 5)
    assert document.mark(("b", 1, "d")) == (4, 17)
    assert document.mark(("b", 1, "d"), key=True) == (4, 14)
    assert document.mark(("b", 7, "gone")) == (3, 3)
    assert document.mark(("gone",), key=True) == (1, 1)


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", b"---\na: 1\nb: 2\n...\n"])
def test_marks_of_editors_are_passed_over(data: bytes) -> None:
    """A byte order mark, Windows line ends, and the marks of one document are harmless."""
    document = read(data, "f.yaml")
    assert document.value == {"a": 1, "b": 2}
    assert document.mark(("b",))[1] == 4


@table(
    ("data", "expected"),
    [
        ("a: &x 1", "f.yaml:1:4: anchor &x is refused; write the value out"),
        ("a: *x", "f.yaml:1:4: alias *x is refused; write the value out"),
        ("a: !!str 1", "f.yaml:1:4: tag tag:yaml.org,2002:str is refused"),
        ("a: !x 1", "f.yaml:1:4: tag !x is refused; write the value without it"),
        ("a: ! 1", "f.yaml:1:4: tag ! is refused"),
        ("a: !!python/object/apply:os.system [ls]", "f.yaml:1:4: tag tag:yaml.org"),
        ("&k a: 1", "f.yaml:1:1: anchor &k is refused"),
        ("a:\n  <<: {b: 1}", "f.yaml:2:3: merge key '<<'; write the values out"),
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: key 'a' stands twice; first in line 1"),
        ("a: {b: 1, 'b': 2}", "f.yaml:1:11: key 'b' stands twice; first in line 1"),
        (
            "1: a",
            "f.yaml:1:1: a key must be text, got 1; put it in quotes; a time has a unit, like 1s",
        ),
        ("true: a", "f.yaml:1:1: a key must be text, got true; put it in quotes"),
        ("~: a", "f.yaml:1:1: a key must be text, got nothing; put it in quotes"),
        ("? [a]\n: b", "f.yaml:1:3: a key must be text"),
        ("{a: 1}: b", "f.yaml:1:1: a key must be text"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document; write one to a file"),
        ("%YAML 1.1\n---\na: 1", "f.yaml:1:1: directives are not allowed"),
        ("- a\n- b", "f.yaml:1:1: expected 'key: value' lines, got a list"),
        ("beach.jpg", "f.yaml:1:1: expected 'key: value' lines, got 'beach.jpg'"),
        ("", "f.yaml:1:1: the file is empty"),
        ("\n\n# nothing here\n", "f.yaml:1:1: the file is empty"),
        ("---\n", "f.yaml:1:1: the file is empty"),
        ("a: 1\n\tb: 2", "f.yaml:2:1: a tab; use spaces"),
        (b"a: 1\nb: caf\xe9", "f.yaml:2:7: not UTF-8 text (byte 0xe9); save it as UTF-8"),
        ("a: é".encode("utf-16"), "f.yaml:1:1: not UTF-8 text (byte 0xff)"),
        (b"\x89PNG\r\n\x1a\n\0\0", "f.yaml:1:1: not UTF-8 text (byte 0x89)"),
        (b"a: 1\nb: x\0y", "f.yaml:2:5: control character U+0000"),
        ("a: x\u2028b: y", "f.yaml:1:5: control character U+2028"),
        ("a: x\x1b[31m", "f.yaml:1:5: control character U+001B"),
        ('a: "x\\0y"', "f.yaml:1:4: control character U+0000 in the text"),
        ("a: " + "9" * 19, "f.yaml:1:4: number 9999999999999999999 is too long or too large"),
        ("a: 1e999", "f.yaml:1:4: number 1e999 is too long or too large"),
        ("a: 1.\n b: 2", "f.yaml:2:3: unexpected ':'"),
        ("a: b: c", "f.yaml:1:5: unexpected ':'"),
        ("a:b\nc: d", "f.yaml:1:1: write a space after the colon: `a: b`"),
        ("a:b\nc:d", "f.yaml:1:1: write a space after the colon: `a: b`"),
        ("a: b\nc:d", "f.yaml:2:1: write a space after the colon: `c: d`"),
        ("a: b\nc:\n  d:1 # x\n  e: 2", "f.yaml:3:3: write a space after the colon: `d: 1`"),
        ("a: http://b\nc: 'x", "f.yaml:2:4: this quote is never closed"),
        ("a: {b: 0,7}", "f.yaml:1:10: a comma ends the value here; write 0.7, with a point"),
        ("a: {b: 0,05, c: 1}", "f.yaml:1:10: a comma ends the value here; write 0.05, with"),
        ("a: b\nsty", "f.yaml:2:1: no ':' on this line; write 'key: value'"),
        ("a: 'b\nc: d", "f.yaml:1:4: this quote is never closed"),
        ("a: [1, 2\n", "f.yaml:1:4: this bracket is never closed"),
        ("a: {b: 1\nc: 2", "f.yaml:1:4: this bracket is never closed"),
        ("a: @b", "f.yaml:1:4: text cannot start with this character; put it in quotes"),
        ("a: 'it's'", "f.yaml:1:8: unexpected text; check indentation and quotes"),
        ("a: 1\n- b", "f.yaml:2:1: unexpected text; check indentation and quotes"),
        ("a: - b", "f.yaml:1:4: a list starts on a line of its own"),
    ],
)
def test_refusals_say_what_and_where(data: bytes | str, expected: str) -> None:
    """Each thing that is refused has its line, its column and a reason in plain words."""
    assert problems(data)[0].startswith(expected)


def test_all_that_can_be_told_at_once_is_told_in_order() -> None:
    """One reading names every alias, tag and duplicate, from the top of the file down."""
    lines = problems("a: &x 1\nb: *x\na: !t 2\n")
    assert [line.split(": ")[0] for line in lines] == [
        "f.yaml:1:4",
        "f.yaml:2:4",
        "f.yaml:3:1",
        "f.yaml:3:4",
    ]


def test_file_names_are_made_printable() -> None:
    """A name cannot bring a newline, a terminal command or a broken byte into a message."""
    with pytest.raises(DocumentError) as caught:
        read(b"", "a\nb\x1b[31m\udcff.yaml")
    assert str(caught.value.problems[0]).startswith(r"a\nb\x1b[31m\xff.yaml:1:1: ")
    assert printable("plain é.yaml") == "plain é.yaml"


FULL = MAX_BYTES - 8
BOMBS = {
    "merge": b"a: &a {x: 1}\n"
    + b"".join(b"b%d: &b%d {<<: [*a,*a,*a,*a]}\n" % (i, i) for i in range(1500)),
    "billion laughs": b"a: &a [x]\n"
    + b"".join(b"b%d: &b%d [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" % (i, i) for i in range(1000)),
    "aliases": b"a: [" + b"*a," * (FULL // 3),
    "deep lists": b"[" * FULL,
    "deep mappings": b"{a: " * (FULL // 4),
    "deep blocks": b"- " * (FULL // 2),
    "deep keys": b"? " * (FULL // 2),
    "deep indentation": b"".join(b" " * i + b"a:\n" for i in range(350)),
    "open and open": b"{[" * (FULL // 2),
    "long integer": b"a: " + b"9" * FULL,
    "long float": b"a: 1." + b"9" * (FULL - 2),
    "long exponent": b"a: 1e" + b"9" * (FULL - 2),
    "long key": b"x" * FULL + b": 1",
    "many values": b"a: [" + b"1," * (FULL // 2),
    "many keys": b"".join(b"k%d:\n" % i for i in range(8000)),
    "duplicates": b"a:\n" * (FULL // 3),
    "colons": b":" * FULL,
    "commas": b"[" + b"," * FULL,
    "tags": b"! " * (FULL // 2),
    "directives": b"%a b\n" * (FULL // 5),
    "open quote": b"a: '" + b"x\n" * (FULL // 2 - 1),
    "surrogate": b'a: "\\ud800"',
    "no character": b'a: "\\UFFFFFFFF"',
    "zeros": b"\0" * FULL,
    "high bytes": b"\xff" * FULL,
    "too long": b"#" * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_are_refused_quickly_and_cheaply(bomb: bytes) -> None:
    """Whatever is meant to cost time or memory costs under a second and a few megabytes."""
    start = time.process_time()
    assert problems(bomb)
    assert time.process_time() - start < 1
    tracemalloc.start()
    problems(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2**20


@pytest.mark.parametrize(
    "data",
    [b"a: " + b"x" * FULL, b"a: |\n" + b" x\n" * (FULL // 3), b"#\n" * (FULL // 2) + b"a: 1"],
    ids=["text", "block", "comments"],
)
def test_a_file_of_the_largest_size_is_read(data: bytes) -> None:
    """Length alone is no fault, up to the limit."""
    start = time.process_time()
    assert "a" in read(data, "f.yaml").value
    assert time.process_time() - start < 1


def test_depth_has_a_limit_with_a_place() -> None:
    """The last level allowed is read, the next one is refused where it starts."""
    deepest = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert value(deepest)
    assert problems(f"key: [[{deepest}]]") == [
        f"f.yaml:1:{6 + MAX_DEPTH}: nested more than {MAX_DEPTH} levels deep"
    ]


GOOD = b"""\
content: beach.jpg
style:
  - {image: starry.jpg, weight: 0.7}   # mixed
  - image: "scream.jpg"
    scale: 1.2
output: {name: 'beach-starry', size: 1024}
options: {seed: 7, note: |
  two
  lines
}
"""


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good file with a few stretches removed, doubled or overwritten."""
    data = bytearray(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 12)))
        token = st.sampled_from(
            [b"", b"[", b"{", b"}", b": ", b"- ", b"&a ", b"*a", b"!t ", b"<<: "]
        )
        data[start:end] = draw(token | st.binary(max_size=4) | st.just(bytes(data[start:end] * 2)))
    return bytes(data)


def check(data: bytes) -> None:
    """`data` is either read, with places inside the file, or refused with places inside it."""
    lines = len(data.splitlines()) + 2
    try:
        document = read(data, "f.yaml")
    except DocumentError as error:
        assert error.problems
        assert all(1 <= each.line <= lines and each.column >= 1 for each in error.problems)
    else:
        assert isinstance(document, Document)
        assert all(1 <= line <= lines for line, _ in document.values.values())


FUZZ = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(st.binary(max_size=400))
@example(b"\xef\xbb\xbf\xff")
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    """Bytes of any kind are read or refused; no other exception escapes."""
    check(data)


@FUZZ
@given(st.text(alphabet="ab01:-?[]{},&*!|>'\"%@`# \n\\~<.", max_size=200))
@example('a: "\\U00110000"')
def test_random_yaml_raises_nothing_else(text: str) -> None:
    """Heaps of YAML's own signs are read or refused; no other exception escapes."""
    check(text.encode())


@FUZZ
@given(mutated())
def test_mutated_files_raise_nothing_else(data: bytes) -> None:
    """A good file damaged at random is read or refused; no other exception escapes."""
    check(data)


@table("end", range(len(GOOD)))
def test_half_a_file_never_surprises(end: int) -> None:
    """A file that is cut anywhere is read or refused."""
    check(GOOD[:end])
