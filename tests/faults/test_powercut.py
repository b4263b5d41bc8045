"""Power cuts: what was not fsynced is gone, at any moment of a run; the next start mends it.

After a cut, lines of the log that were never fsynced may be missing or torn, also whole ones of
the run of a job. The one that ends the job is there exactly once: it is fsynced, and its file's
name too, before the job is removed; one that a cut has torn is told again on a line of its own.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support import powercut
from support.farm import KINDS, Farm, Plot
from support.forge import Forge
from support.powercut import State, cuts

from nstd.client.status import read_status
from nstd.documents.config import load_config
from nstd.queue.control import ControlRequest, ControlRequests
from nstd.system.durable import Files

pytestmark = pytest.mark.xdist_group("power cuts")  # one mill for all

TRIED = 15
"""States that the short form draws of each kind of run; the slow one tries all."""
RUNS: dict[str, tuple[str, dict[str, dict[str, object]]]] = {
    **{kind: (kind, {}) for kind in KINDS},
    "archived": ("finished", {"jobs": {"pictures": "archive"}}),
    "rotated": ("finished", {"log": {"size": "500B", "keep": 9}}),
    "asked": ("finished", {}),
}
SIDECAR = "sub/beach.yaml"
ASKED = (
    ControlRequest("pause"),
    ControlRequest("hold", SIDECAR),
    ControlRequest("priority", SIDECAR, priority=7),
    ControlRequest("release", SIDECAR),
    ControlRequest("resume"),
)
"""What people ask in the run of that name: in the end, the job has this priority."""


class Mill:
    """Records runs, and starts daemons on what a power cut would have left of them."""

    def __init__(self, folder: Path) -> None:
        self.farm = Farm(folder)
        self._recorder = Forge(self.farm.seed.environment, powercut.__file__)

    def record(self, run: str) -> tuple[Plot, Path]:
        """A whole run, from the dropped job to its end, and what the disk saw of it."""
        kind, settings = RUNS[run]
        plot = self.farm.plant(kind)
        self.configure(plot, settings)
        for request in ASKED if run == "asked" else ():
            ControlRequests(plot.work, Files()).write(request)
        return plot, self.record_on(plot)

    def record_on(self, plot: Plot) -> Path:
        """Record a run on a root as it is."""
        record = plot.root.with_suffix(".record")
        status, _ = self._recorder.run(
            plot.root / "config.yaml", root=str(plot.root), record=str(record)
        )
        assert status == 0
        return record

    def configure(self, plot: Plot, settings: dict[str, dict[str, object]]) -> None:
        path = plot.root / "config.yaml"
        said = yaml.safe_load(path.read_text())
        for section, values in settings.items():
            said[section] = {**said.get(section, {}), **values}
        path.write_text(yaml.safe_dump(said))

    def after(self, cut: State, original: Plot) -> Plot:
        """A root that holds what the power cut left."""
        plot = self.farm.clear(original.kind)
        cut.lay_down(plot.root)
        plot.inputs, plot.text = original.inputs, original.text
        return plot

    def close(self) -> None:
        """End both forges."""
        self.farm.forge.close()
        self._recorder.close()


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """One for all tests of this module."""
    mill = Mill(tmp_path_factory.mktemp("mill"))
    yield mill
    mill.close()


def pictures(plot: Plot) -> Counter[str]:
    """How many copies of each input picture are in the inbox or in the archive."""
    found = [*plot.inbox.glob("*.png"), *plot.outbox.glob("archive/*.png")]
    names = {digest: name for name, digest in plot.inputs.items()}
    return Counter(names[digest] for path in found if (digest := sha256(path)) in names)


def sha256(path: Path) -> str:
    """Of the content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def ends(plot: Plot) -> list[str]:
    """The terminal events in the log. Lines that the cut has torn are no lines."""
    found = []
    for path in plot.outbox.glob("logs/nstd.jsonl*"):
        for line in path.read_bytes().splitlines():
            try:
                event = json.loads(line)["event"]
            except ValueError:
                continue
            if event in {"job.finished", "job.failed"}:
                found.append(event)
    return found


def check_after_cut(plot: Plot) -> None:
    """Nothing is lost, and nothing half done is to be seen; status can read what there is."""
    plot.check_results()
    assert len(plot.results()) <= 1
    assert set(pictures(plot)) == set(plot.inputs)
    copies = [path for path in plot.root.rglob("*.yaml") if path.read_bytes() == plot.text]
    assert copies, "the sidecar is gone"
    read_status(load_config(plot.root / "config.yaml"))


def check_end(plot: Plot) -> None:
    """One result, one terminal event, and the job nowhere else."""
    plot.check_results()
    (folder,) = plot.results()
    below = "sub/beach" if plot.kind == "finished" else "failed/sub/beach"
    assert str(folder.relative_to(plot.outbox)) == below
    assert set(pictures(plot)) == set(plot.inputs)
    assert list(plot.inbox.rglob("*.yaml")) == []
    assert [path for path in plot.work.iterdir() if path.name[0].isdigit()] == []
    for rest in (plot.inbox / ".nstd", plot.work / ".new", plot.outbox / ".staging"):
        assert not rest.exists() or list(rest.iterdir()) == []
    assert len(ends(plot)) == 1


def survive(mill: Mill, plot: Plot, moment: int, cut: State) -> Plot:
    """Lay down what a cut left, look, start the daemon again, and look again."""
    left = mill.after(cut, plot)
    try:
        check_after_cut(left)
        status, _ = mill.farm.run(left)
        assert status == 0
        check_end(left)
    except Exception as error:
        raise AssertionError(f"power cut at look {moment}, {cut.variant}: {left.root}") from error
    return left


@pytest.mark.parametrize("run", RUNS)
def test_a_power_cut_loses_nothing(mill: Mill, run: str) -> None:
    """A sample of what power cuts may leave, for each kind of run."""
    plot, record = mill.record(run)
    found = list(cuts(record))
    assert len(found) > 150, "too few states to be true"
    for moment, cut in random.sample(found, TRIED):
        left = survive(mill, plot, moment, cut)
        if run == "asked":
            record = json.loads((left.outbox / "sub" / "beach" / "beach.json").read_text())
            assert record["settings"]["priority"] == 7, f"look {moment}, {cut.variant}"
        shutil.rmtree(left.root)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("run", RUNS)
def test_a_power_cut_at_any_moment_loses_nothing(mill: Mill, run: str) -> None:
    """Every state that a power cut may leave, at every prefix of the run."""
    plot, record = mill.record(run)
    for moment, cut in cuts(record):
        shutil.rmtree(survive(mill, plot, moment, cut).root)


@pytest.mark.parametrize("times", [3, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.timeout(3600)
def test_a_second_power_cut_while_it_recovers_loses_nothing(mill: Mill, times: int) -> None:
    """Drawn at random: a cut in a run, a start, and a cut in what that start did."""
    draw = random.Random(11)
    for _ in range(times):
        run = draw.choice(list(RUNS))
        plot, record = mill.record(run)
        _, cut = draw.choice(list(cuts(record)))
        left = mill.after(cut, plot)
        again = list(cuts(mill.record_on(left)))
        if again:  # else all was done already
            survive(mill, plot, *draw.choice(again))
