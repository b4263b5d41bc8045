"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from itertools import chain, cycle
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import settings
from structlog.testing import capture_logs
from support.berlin import BERLIN
from support.clusters import RayCluster, ray_cluster
from support.executors import install_backends
from support.playground import Playground

from nstd.logs.processors import PROCESSORS
from nstd.system import reservations

# A shell that starts the tests in the background has it ignored, and every process would inherit
# that: what ends at an interrupt would not.
signal.signal(signal.SIGINT, signal.default_int_handler)


# No test asserts speed, on machines that are busy with others.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


# Thousands of tests stay to the end: to look whether they can be freed takes longer than to make
# them.
gc.disable()


def pytest_collection_finish() -> None:
    """From now on there is something to free."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest come first: one that begins last would keep the others waiting.

    Tests that need an executor of their own come last: each would end the one that others share.
    """
    items.sort(
        key=lambda item: (
            item.get_closest_marker("long") is None,
            bool({"own_executor", "ground"} & set(getattr(item, "fixturenames", ()))),
        )
    )
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = chain.from_iterable(dealt(units(items), workers))


def units(items: list[pytest.Item]) -> tuple[list[list[pytest.Item]], list[list[pytest.Item]]]:
    """What one worker takes at once: the tests of each group, and each other test."""
    groups: dict[str, list[pytest.Item]] = {}
    others = []
    for item in items:
        if marker := item.get_closest_marker("xdist_group"):
            groups.setdefault(str(marker.args or marker.kwargs), []).append(item)
        else:
            others.append([item])
    return list(groups.values()), others


def dealt(
    given: tuple[list[list[pytest.Item]], list[list[pytest.Item]]], workers: int
) -> Iterator[list[pytest.Item]]:
    """The units in the order in which `workers` take them, one each in turn.

    Groups wait for processes more than they compute, and most other tests do not: half of the
    workers begin with groups, so that there is always something to compute.
    """
    groups, others = map(iter, given)
    lanes = max(1, workers // 2)
    for lane in cycle(range(max(2, workers))):
        first, second = (groups, others) if lane < lanes else (others, groups)
        if (unit := next(first, None) or next(second, None)) is None:
            return
        yield unit


@pytest.fixture(autouse=True)
def own_reservations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests reserve of the machine's memory is not this one's concern."""
    monkeypatch.setattr(reservations, "FOLDER", tmp_path / "reserved")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """An empty folder on another filesystem than that of temporary files."""
    for place in map(Path, ("/dev/shm", "/var/tmp")):
        if place.is_dir() and place.stat().st_dev != tmp_path.stat().st_dev:
            folder = Path(tempfile.mkdtemp(dir=place, prefix="nstd-elsewhere-"))
            yield folder
            shutil.rmtree(folder)
            return
    pytest.skip("needs a second filesystem")


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine is in Berlin, where the clocks change."""
    monkeypatch.setenv("TZ", BERLIN.key)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """The lines that this process logs; meanwhile none goes to a file."""
    with capture_logs(processors=PROCESSORS) as lines:
        yield cast("list[dict[str, Any]]", lines)


@pytest.fixture
def playground(tmp_path: Path) -> Iterator[Playground]:
    """A root with fast settings and the puppet backend; its daemons end with the test."""
    playground = Playground(tmp_path)
    yield playground
    playground.close()


@pytest.fixture(scope="module")
def executor_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the backends that the tests of executors run."""
    site = tmp_path_factory.mktemp("executors") / "site"
    install_backends(site)
    return site


@pytest.fixture(scope="module")
def cluster(executor_site: Path) -> Iterator[RayCluster]:
    """Two nodes with a GPU each that does not exist; tests leave it as it was."""
    with ray_cluster(executor_site, 1, 1) as cluster:
        yield cluster
