"""Fixtures that every test may use."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import Playground

from nstd import reservations

# A shell that starts the tests in the background has it ignored, and every process would inherit
# that: what ends at an interrupt would not.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_reservations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests reserve of the machine's memory is not this one's concern."""
    monkeypatch.setattr(reservations, "FOLDER", tmp_path / "reserved")


@pytest.fixture
def playground(tmp_path: Path) -> Iterator[Playground]:
    """A root with fast settings and the puppet backend; its daemons end with the test."""
    playground = Playground(tmp_path)
    yield playground
    playground.close()
