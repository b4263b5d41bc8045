"""`nstd bench gpu`: its steps with tiny pictures on the CPU; what needs a GPU has never run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from support.gpu_steps import step
from torch import Tensor

from nstd.backend import Progress
from nstd.backends.gatys import Gatys
from nstd.backends.gatys.iterate import Point
from nstd.backends.gatys.options import Options
from nstd.bench.gpu import correctness, evaluations, graphs, memory, plan, whole
from nstd.bench.gpu import run as runs
from nstd.bench.gpu.finding import Finding
from nstd.bench.gpu.parts import task_of
from nstd.bench.gpu.plan import SMALL, STEPS, GpuSetup
from nstd.bench.gpu.run import WHOLE, measure_gpu
from nstd.bench.gpu.step import run_step
from nstd.cli.app import app

DEFAULT = Options().network
TINY = GpuSetup("cpu", (DEFAULT,), "none", replace(SMALL, memory=(64,)))


def lines_of(file: Path) -> list[dict[str, Any]]:
    """The lines of JSON in a file."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_all_steps_fit_into_ten_minutes() -> None:
    """With names of their own, and functions that exist."""
    assert sum(each.limit for each in STEPS) <= WHOLE
    assert len({each.name for each in STEPS}) == len(STEPS)
    for each in STEPS:
        module, _, name = each.run.partition(":")
        assert callable(getattr(__import__(module, fromlist=[name]), name))


def test_a_step_that_hangs_or_dies_says_so_and_the_next_goes_on(tmp_path: Path) -> None:
    """Each line is in both files at once; what no time is left for is named for later."""
    out = tmp_path / "found"
    steps = [step("dead", "die"), step("well", "good"), step("slow", "hang", limit=0.2)]
    found = {each.name: finding for each, finding in measure_gpu(TINY, out, steps)}
    assert found["dead"].state == "failed"
    assert "ended with status 1: the driver has gone" in found["dead"].text
    assert found["well"] == Finding("good", "all is well", {"answer": 42})
    assert (found["slow"].state, found["slow"].text) == ("late", "not done within 0.2 s")
    ((_, left),) = measure_gpu(TINY, out, [step("later", "good")], seconds=0.0)
    assert (left.state, left.text) == ("left", "the time is over; later: `--only later`")
    lines = lines_of(out.with_suffix(".jsonl"))
    assert [line["step"] for line in lines] == ["dead", "well", "slow", "later"]
    assert lines[1]["figures"] == {"answer": 42}
    text = out.with_suffix(".txt").read_text().splitlines()
    assert [line.split()[:2] for line in text] == [[s["step"], s["state"]] for s in lines]


def test_a_device_that_is_not_there_is_named_by_each_step() -> None:
    """Before anything is computed."""
    found = run_step(step("well", "good").run, replace(TINY, device="cuda:7"))
    assert found.state == "failed"
    assert "cuda:7 cannot be used" in found.text
    assert found.text.endswith("[device_failed]")


def test_results_on_the_device_are_held_against_float64_and_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Good where both are near; bad where a loss is not."""
    found = correctness.agree(TINY)
    assert found.state == "good"
    assert set(found.figures) == {"float64", f"{DEFAULT} float32", f"{DEFAULT} auto"}
    assert found.figures[f"{DEFAULT} float32"] == 0.0
    monkeypatch.setattr(correctness, "relative_error", lambda _: 0.5)
    none = replace(TINY, networks=())
    assert correctness.agree(none).state == "bad"


def test_a_device_whose_trial_finds_a_problem_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `devices: auto` would not take it."""
    monkeypatch.setattr(correctness, "look", lambda _: {"seconds": 0.123456})
    assert correctness.check(TINY).text.endswith("seconds 0.123")
    monkeypatch.setattr(correctness, "look", lambda _: {"problem": "it computes wrong"})
    assert correctness.check(TINY).state == "bad"


def test_both_precisions_are_measured() -> None:
    """And the one that jobs use is named."""
    found = evaluations.precision(TINY)
    figures = found.figures[f"{DEFAULT} 64"]
    assert min(figures.values()) > 0
    assert found.text.endswith(f"jobs use {found.figures['used']}")


@pytest.mark.parametrize(("reads", "state"), [(1, "good"), (3, "bad")])
def test_what_the_host_reads_in_an_evaluation_is_counted(
    reads: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once is good, for the loss; the optimiser's own are counted beside it."""

    def evaluate(x: Tensor) -> Point:
        losses = [x.square().sum().item() for _ in range(reads)]
        return Point(x, losses[0], 2 * x, {})

    monkeypatch.setattr(evaluations, "full_size", lambda _: (evaluate, torch.ones(1, 3, 8, 8)))
    found = evaluations.syncs(TINY)
    assert found.state == state
    assert found.figures[DEFAULT]["evaluation"] == reads
    assert found.figures[DEFAULT]["places"] == {"_local_scalar_dense": reads}
    assert found.figures[DEFAULT]["step"] > reads


def test_what_cannot_be_captured_says_why_beside_what_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph needs CUDA."""
    monkeypatch.setattr("torch.compile", lambda act, backend: act)  # it takes a minute here
    figures = graphs.graphs(TINY).figures[DEFAULT]
    assert figures["eager"] > 0
    assert figures["compile"] > 0
    assert figures["graph"] == "does not work (ValueError: needs CUDA)"


def test_the_share_is_the_work_of_a_whole_run_over_its_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counted for each level with its evaluations."""
    monkeypatch.setattr(whole, "best_gflops", lambda *_: 100.0)
    found = whole.share(TINY).figures[f"{DEFAULT} 64"]
    assert found["evaluations"] > 1
    assert found["gflops"] > 0
    assert found["share"] == pytest.approx(found["gflops"] / 100)


def test_slots_are_those_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each count goes through the daemon once."""
    asked = []

    def batch(config: Any, jobs: int, folder: Path) -> dict[str, float]:
        asked.append((list(config.devices), config.slots, jobs))
        return {"pictures_per_hour": 360.0}

    monkeypatch.setattr(whole, "batch", batch)
    sizes = replace(SMALL, slots=(1, 2), jobs=5)
    found = whole.slots(replace(TINY, device="cuda:0", sizes=sizes))
    assert asked == [(["cuda:0"], {"cuda:0": count}, 5) for count in (1, 2)]
    assert found.figures == {"1": 360.0, "2": 360.0}


def test_a_job_that_runs_out_of_memory_is_made_and_the_next_one_too() -> None:
    """The allocation that fails is a real one."""
    found = memory.oom(TINY)
    assert found.state == "good"
    assert "out of memory: once more in tiles of 64 pixels" in found.text


def test_memory_that_does_not_run_out_is_not_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the step has shown nothing."""
    monkeypatch.setattr(memory.Hog, "_take", lambda _: None)
    assert memory.oom(TINY).state == "bad"


def test_a_hog_takes_what_is_free_until_memory_has_run_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On an accelerator, in blocks of half the size each time one does not fit."""
    left = [10 << 20]

    def empty(size: int, dtype: torch.dtype, device: str) -> int:
        if size > left[0]:
            raise torch.OutOfMemoryError
        left[0] -= size
        return size

    monkeypatch.setattr(memory, "free_memory", lambda _: 12 << 20)
    monkeypatch.setattr(memory, "give_back_memory", lambda _: left.__setitem__(0, 10 << 20))
    monkeypatch.setattr("nstd.bench.gpu.memory.torch.empty", empty)
    hog = memory.Hog("cuda:0")
    hog(Progress(1, 9, 0.1))
    assert left[0] < 2 << 20
    hog(Progress(0, 1, 0.0, note="out of memory: once more in tiles of 64 pixels"))
    hog(Progress(1, 9, 0.1))
    assert left[0] == 10 << 20


def test_predicted_memory_is_held_against_the_measured_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """15 % off is good, and more is not."""
    made = Gatys().run(task_of(TINY, Options(steps=2), 64), lambda _: None)
    for factor, state in ((0.9, "good"), (0.5, "bad")):
        result = replace(made, device_memory=1000, predicted_memory=round(1000 * factor))
        monkeypatch.setattr(Gatys, "run", lambda *_, result=result: result)
        found = memory.memory(TINY)
        assert found.state == state
        assert found.figures[f"{DEFAULT} 64"]["error"] == pytest.approx(factor - 1)


def test_a_large_picture_is_extrapolated_from_its_evaluations() -> None:
    """And says so."""
    found = whole.large(TINY)
    figures = found.figures[DEFAULT]
    assert figures["extrapolated"] > 2 * figures["evaluation"] > 0
    assert "(extrapolated from a few evaluations)" in found.text


def test_the_command_prints_a_line_for_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only those that are asked for, with an exit code; a name that is none is refused."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        plan, "STEPS", (step("well", "good"), step("dead", "die"), step("x", "good"))
    )
    asked = ["bench", "gpu", "--device", "cpu", "--small"]
    done = CliRunner().invoke(app, [*asked, "--only", "well", "--only", "x"])
    assert done.exit_code == 0, done.output
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["well", "good"],
        ["x", "good"],
    ]
    assert len(lines_of(tmp_path / "nstd-gpu.jsonl")) == 2
    assert CliRunner().invoke(app, [*asked, "--only", "dead"]).exit_code == 1
    assert len(lines_of(tmp_path / "nstd-gpu.jsonl")) == 3
    done = CliRunner().invoke(app, [*asked, "--only", "wel"])
    assert done.exit_code == 2
    assert "the steps are well, dead, x" in done.output


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_step_runs_on_the_cpu(tmp_path: Path) -> None:
    """As the command has it, each in its own process; only the graph is left out."""
    out = tmp_path / "found"
    setup = GpuSetup("cpu", (DEFAULT,), str(tmp_path), SMALL)
    steps = [replace(each, limit=300.0) for each in STEPS]
    found = {each.name: one for each, one in measure_gpu(setup, out, steps, seconds=3000.0)}
    assert [name for name, one in found.items() if one.state in {"failed", "late", "left"}] == []
    assert runs.has_problem([Finding("late", "")])
