"""The manual's commands for jq and journalctl, to the letter, on the log of a real daemon."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.playground import Playground, wait_for

from manual.documents import SOURCE, marked, page
from nstd.errors import CODES
from nstd.logs.events import EVENTS

needs_jq = pytest.mark.skipif(not shutil.which("jq"), reason="needs jq")


def commands(name: str) -> dict[str, str]:
    """The commands of the block between the marks, by the comment above each."""
    (code,) = re.findall(r"```sh\n(.*?)```", marked(page("monitoring"))[name], re.DOTALL)
    return dict(re.findall(r"^# (.*)\n((?:[^#].*\n)+)", code, re.MULTILINE))


def printed(command: str, folder: Path, **environment: str) -> list[str]:
    """The lines that a command of the manual prints in a folder."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), command
    return done.stdout.splitlines()


@pytest.fixture
def worked(playground: Playground) -> Playground:
    """A root where one picture was made, three jobs have failed, and one was left in the middle."""
    playground.configure(workers={"failures": 2}, jobs={"attempts": 1})
    playground.pair("beach")
    playground.pair("pier", options={"act": "raise"})
    playground.once()
    for number in range(2):
        playground.pair(f"dead-{number}", options={"act": "assert"})
    playground.once()
    playground.pair("left", options={"steps": 5000, "pause": 0.02})
    process = playground.start()
    wait_for(lambda: playground.events("job.started", name="left"))
    process.kill()
    process.wait()
    return playground


@needs_jq
def test_the_lines_for_jq_find_what_they_are_for(worked: Playground) -> None:
    """Each of them, with nothing on standard error."""
    logs = worked.outbox / "logs"
    found = {what: printed(line, logs) for what, line in commands("jq").items()}
    left = worked.events("job.claimed", name="left")[0]["job"]
    worth = found.pop("everything that a person should know of")
    assert len(worth) == len([line for line in worked.events() if line["level"] != "info"])
    assert any("the puppet raises" in line for line in worth)
    codes = found.pop("failures by code, the most frequent first")
    assert sorted(line.split() for line in codes) == [
        ["1", "backend_failed"],
        ["2", "device_failed"],
    ]
    failed = [line.split("\t") for line in found.pop("when, which and why")]
    assert [line[1:3] for line in failed if line[1] == "pier"] == [["pier", "backend_failed"]]
    assert len(failed) == 3
    assert found.pop("when the last picture was finished") == [
        worked.events("job.finished")[-1]["timestamp"]
    ]
    unended = found.pop("jobs that were claimed and have not ended, in all files")
    assert unended == [f"{left}\tleft"]
    means = dict(line.split("\t") for line in found.pop("the mean seconds of each phase"))
    assert float(means["total"]) > 0
    assert "device.down" in "".join(found.pop("devices, as the log last reported them"))
    assert found.pop("bugs, in a file in which a power cut may have torn a line") == []
    assert not found, "the manual has a command that no test looks at"


JOURNALCTL = """#!/bin/sh
{real} -D {empty} --no-pager "$@" > /dev/null 2> {folder}/complaints || exit 1
test ! -s {folder}/complaints || grep -q 'No journal files' {folder}/complaints || exit 1
cat {folder}/stderr
"""
"""The real one judges the options; the lines are those that the daemon wrote on standard error."""


@needs_jq
@pytest.mark.skipif(not shutil.which("journalctl"), reason="needs journalctl")
def test_the_filters_of_the_journal_find_what_they_are_for(worked: Playground) -> None:
    """Among lines of others; the options are those of the journalctl that is installed."""
    folder = worked.folder
    lines = [line.read_text() for line in sorted(worked.outbox.glob("logs/nstd.jsonl*"))]
    (folder / "stderr").write_text("Started nstd.service\n" + "".join(lines))
    (folder / "bin").mkdir()
    (folder / "empty").mkdir()
    fake = folder / "bin" / "journalctl"
    real = shutil.which("journalctl")
    fake.write_text(JOURNALCTL.format(real=real, empty=folder / "empty", folder=folder))
    fake.chmod(0o755)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    found = {
        what: printed(line.replace(" -f ", " "), folder, PATH=path)
        for what, line in commands("journal").items()
    }
    assert len(found) == 3
    errors = found["errors as they come"]
    assert len(errors) == len([line for line in worked.events() if line["level"] == "error"])
    assert '"job.finished"' in found["what became of one job"][-1]


def test_the_table_of_what_to_alert_on_names_what_there_is() -> None:
    """Events, error codes and metrics that exist, in its rows."""
    words = re.findall(r"`([a-z_.]+)`", marked(page("monitoring"))["alerts"])
    assert len(words) > 20
    metrics = (SOURCE / "nstd" / "daemon" / "metrics.py").read_text()
    for word in words:
        is_metric = word.startswith("nstd_") and word.removeprefix("nstd_").removesuffix("_total")
        known = word in EVENTS or word in CODES or word == "code"
        assert known or (is_metric and f'"{is_metric}"' in metrics), word
