"""What is printed in a worker says of which job and slot it is."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from nstd.executors.contract import Assignment
from nstd.executors.worker.output import attributed
from nstd.queue.job import Job


@pytest.fixture
def about(tmp_path: Path) -> Assignment:
    """An assignment of the job `beach-id` to the slot `cpu/1`."""
    job = Job(
        id="beach-id",
        name="beach",
        folder="",
        sidecar="beach.yaml",
        inputs=(),
        submitted=0.0,
        claimed=0.0,
    )
    return Assignment(
        job=job,
        folder=tmp_path,
        weights=tmp_path,
        slot="cpu/1",
        torch_device="cpu",
        checkpoint=1.0,
        max_pixels=1,
        max_bytes=1,
    )


@pytest.fixture
def handler() -> Iterator[logging.StreamHandler[TextIO]]:
    """A handler of a library, which has kept the stream that it found in an earlier attempt."""
    handler = logging.StreamHandler[TextIO](io.StringIO())
    logging.getLogger("nstd-test").addHandler(handler)
    yield handler
    logging.getLogger("nstd-test").removeHandler(handler)


def printed(capfd: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """The lines on standard error: what each bears after the time, and its text."""
    out, err = capfd.readouterr()
    assert out == ""
    heads = (line.partition("  ") for line in err.splitlines())
    return [(head.partition(" ")[2], text) for head, _, text in heads]


def test_whatever_is_printed_bears_the_job_and_the_slot(
    about: Assignment, capfd: pytest.CaptureFixture[str]
) -> None:
    """By the attempt or by another thread, and to either stream."""
    with attributed(about):
        print("one\n\ntwo")
        print("three", file=sys.stderr)
        thread = threading.Thread(target=print, args=("four",))
        thread.start()
        thread.join()
        print("10 %\r20 %\r", end="")
        print("50 % off \ud800 %s", end="")
    lines = printed(capfd)
    assert {head for head, _ in lines} == {"beach-id cpu/1"}
    texts = ["one", "two", "three", "four", "10 %", "20 %", r"50 % off \ud800 %s"]
    assert [text for _, text in lines] == texts


def test_a_stream_that_a_library_keeps_is_that_of_the_running_attempt(
    about: Assignment, capfd: pytest.CaptureFixture[str], handler: logging.StreamHandler[TextIO]
) -> None:
    """Not that of the attempt in which the library was loaded; between attempts it is nobody's."""
    later = about.model_copy(update={"job": about.job.model_copy(update={"id": "pier-id"})})
    with attributed(about):
        handler.setStream(sys.stderr)
        logging.getLogger("nstd-test").error("one")
    logging.getLogger("nstd-test").error("two")
    with attributed(later):
        logging.getLogger("nstd-test").error("three")
    assert printed(capfd) == [("beach-id cpu/1", "one"), ("", "two"), ("pier-id cpu/1", "three")]


def test_a_text_without_an_end_of_line_is_cut(
    about: Assignment, capfd: pytest.CaptureFixture[str]
) -> None:
    """It would fill the memory."""
    with attributed(about):
        for _ in range(100):
            print("x" * 1000, end="")
        begun = printed(capfd)
        assert [len(text) for _, text in begun] == [66_000]
    assert [len(text) for _, text in printed(capfd)] == [34_000]


def test_child_processes_of_a_backend_print_as_ever(
    about: Assignment, capfd: pytest.CaptureFixture[str]
) -> None:
    """They get the descriptor itself."""
    with attributed(about):
        subprocess.run(["echo", "hello"], check=True, stdout=sys.stdout)
    assert capfd.readouterr().err == "hello\n"
