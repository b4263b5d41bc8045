"""Fuzzing in small: seeded mutation, bombs and polyglots, in children with bounds.

The long form is `python -m tests.fuzz sidecar|config|image|film --minutes M [--guided]`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support import CHECKOUT

from fuzz import bounded, targets
from fuzz.bombs import BOMBS
from fuzz.mutate import make_input
from fuzz.seeds import polyglots
from nstd.documents.config import Config
from nstd.documents.sidecar import Sidecar

INPUTS = {"sidecar": 1500, "config": 700, "image": 700, "film": 300}


def findings(target: str, inputs: list[bytes]) -> list[str]:
    """Which promises these inputs break."""
    return list(bounded.try_all(target, inputs.__getitem__, count=len(inputs)).findings)


@pytest.mark.parametrize("target", INPUTS)
@pytest.mark.parametrize("factor", [1, pytest.param(30, marks=pytest.mark.slow)])
def test_mutated_files_break_no_promise(target: str, factor: int) -> None:
    """Read or refused with a reason, in bounded time and memory, with nothing else opened."""
    make = partial(make_input, target, 5)
    tally = bounded.try_all(target, make, count=INPUTS[target] * factor)
    assert tally.inputs == INPUTS[target] * factor
    assert list(tally.findings) == []
    assert tally.memory < targets.MEMORY_OF.get(target, targets.MEMORY)


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_read_or_refused_in_bounded_memory(name: str) -> None:
    """Whatever unfolds into something large takes its share of memory and no more."""
    bomb = BOMBS[name]()  # here, so that its making is not counted
    tally = bounded.try_all("image", lambda _: bomb, count=1)
    assert list(tally.findings) == []
    assert tally.memory < targets.MEMORY


@pytest.mark.parametrize("name", polyglots())
def test_polyglots_are_pictures_or_refused(name: str) -> None:
    """A file that is two things is decoded as a picture, or refused; nothing in it is run."""
    assert findings("image", [polyglots()[name]]) == []


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
KEYS = st.text(max_size=8) | st.sampled_from(
    sorted(
        {*Config.model_fields, *Sidecar.model_fields}
        | {"inbox", "outbox", "mode", "settle", "image", "weight", "region", "name", "size"}
    )
)
VALUES = st.recursive(
    PLAIN | st.sampled_from(["auto", "cpu", "cuda:0", "1h", "2 MiB", "../x", "/", "gatys", "~"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_whatever_a_document_says_it_is_read_or_refused(document: dict[str, object]) -> None:
    """Right keys with wrong values, wrong keys with right ones, and nests of both."""
    data = yaml.safe_dump(document, allow_unicode=True).encode(errors="surrogatepass")
    targets.sidecar(b"content: a\nstyle: b\n" + data if document else data)
    targets.config(data)


@pytest.mark.parametrize("target", INPUTS)
def test_an_input_can_be_made_again(target: str) -> None:
    """A seed and a number give the same bytes."""
    assert make_input(target, 3, 400) == make_input(target, 3, 400) != make_input(target, 4, 400)


def _crash(_: bytes) -> None:
    os.kill(os.getpid(), 11)


def _hang(_: bytes) -> None:
    while True:
        pass


def _grow(_: bytes) -> None:
    bytearray(3 * targets.MEMORY)


def _stray(_: bytes) -> None:
    try:
        Path("/etc/passwd").read_bytes()
    except Exception:
        return


def _connect(_: bytes) -> None:
    socket.socket()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (_crash, "SIGSEGV"),
        (_hang, "SIGALRM"),
        (_grow, "MemoryError"),
        (_stray, "opened /etc/passwd"),
        (_connect, "socket.__new__"),
    ],
)
def test_a_broken_promise_is_found(
    monkeypatch: pytest.MonkeyPatch, bad: Callable[[bytes], None], said: str
) -> None:
    """A reader that crashes, hangs, grows or strays costs its input, and the rest is tried."""
    monkeypatch.setattr(targets, "SECONDS", 0.5)
    monkeypatch.setitem(
        targets.TARGETS, "image", lambda data: bad(data) if data == b"bad" else None
    )
    tally = bounded.try_all("image", [b"a", b"bad", b"b"].__getitem__, count=3)
    (found,) = tally.findings.values()
    assert said in found.what
    assert found.data == b"bad"
    assert tally.inputs == 3


def test_the_command_says_what_was_tried(tmp_path: Path) -> None:
    """`python -m tests.fuzz` prints its figures and leaves nothing where nothing was found."""
    out = tmp_path / "out"
    command = ["-m", "tests.fuzz", "sidecar", "--minutes", "0.01", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sidecar, seed 1: ")
    assert not out.exists()
