"""Files that come slowly, in parts, in any order, or never."""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import pytest
from PIL import Image
from support.playground import Playground, codes, wait_for

SETTLE, BYTE = 1.5, 0.05
"""Seconds: the short form writes twenty times as fast, and waits less for the next byte."""


def png() -> bytes:
    """A picture of few bytes."""
    file = BytesIO()
    Image.new("L", (2, 2), 128).save(file, "png")
    return file.getvalue()


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Have `work` done in a thread."""
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def has_final_bytes(playground: Playground, data: bytes) -> bool:
    """Whether there was one job, of a picture with these bytes."""
    (line,) = playground.events("job.finished")
    content = playground.record(line["name"])["inputs"]["content"]
    return bool(content["sha256"] == hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    ("byte", "settle"), [(BYTE, SETTLE), pytest.param(1.0, 5.0, marks=pytest.mark.slow)]
)
def test_picture_written_at_1_byte_s(playground: Playground, byte: float, settle: float) -> None:
    """No pause between two bytes is as long as the settle time: one job, the final bytes."""
    playground.configure(watch={"settle": settle})
    playground.start()
    playground.picture("style.png")
    playground.sidecar("beach")
    data = png()

    def write() -> None:
        with (playground.inbox / "content.png").open("wb", buffering=0) as file:
            for number in range(len(data)):
                file.write(data[number : number + 1])
                time.sleep(byte)

    with meanwhile(write):
        wait_for(playground.ended, 2 * byte * len(data) + 60)
    assert has_final_bytes(playground, data)


def test_picture_closed_and_reopened_5_times(playground: Playground) -> None:
    """A close says nothing: scanners and shares close and open again, seconds apart."""
    playground.configure(watch={"settle": SETTLE})
    playground.start()
    playground.picture("style.png")
    playground.sidecar("beach")
    data = png()
    size = len(data) // 5 + 1

    def write() -> None:
        for begin in range(0, len(data), size):
            with (playground.inbox / "content.png").open("ab") as file:
                file.write(data[begin : begin + size])
            time.sleep(SETTLE / 5)

    with meanwhile(write):
        wait_for(playground.ended)
    assert has_final_bytes(playground, data)


@pytest.mark.parametrize("before", ["content.png.part", "upload.png"])
def test_picture_renamed(playground: Playground, before: str) -> None:
    """Written under another name, renamed at the end; the old name is nobody's business."""
    playground.start()
    playground.picture("style.png")
    playground.sidecar("beach")
    data = png()
    (playground.inbox / before).write_bytes(data[:20])
    wait_for(lambda: playground.events("inbox.waiting"), what="inbox.waiting")
    (playground.inbox / before).write_bytes(data)
    (playground.inbox / before).rename(playground.inbox / "content.png")
    wait_for(playground.ended)
    assert has_final_bytes(playground, data)
    assert len(playground.events("inbox.waiting")) == 1


HALF = "content: content.png\nstyle: style.png\noptions: {steps"
YAMLS = {
    "half": (HALF.encode(), "3:10"),
    "empty": (b"", "1:1"),
    "binary": (b"content: content.png\nstyle: \x00\x01\xfe\xff\n", "2:10"),
}


def test_half_empty_binary_yaml(playground: Playground) -> None:
    """Waits until it is stable, then fails with line and column; whole in time, it is run."""
    playground.configure(watch={"settle": SETTLE})
    playground.start()
    playground.pair("good")
    for kind, (data, _) in YAMLS.items():
        (playground.inbox / f"{kind}.yaml").write_bytes(data)
        (playground.inbox / f"late-{kind}.yaml").write_bytes(data)
    time.sleep(SETTLE / 3)
    for kind in YAMLS:
        whole = "content: content.png\nstyle: style.png\n"
        (playground.inbox / f"late-{kind}.yaml").write_text(whole)
    wait_for(lambda: playground.ended() == 1 + 2 * len(YAMLS))
    assert codes(playground) == dict.fromkeys(YAMLS, "sidecar_invalid")
    for kind, (data, place) in YAMLS.items():
        assert f"{kind}.yaml:{place}: " in playground.reason(kind)["message"]
        assert (playground.outbox / "failed" / kind / f"{kind}.yaml").read_bytes() == data


@pytest.mark.parametrize("first", ["sidecar_first", "sidecar_last"])
def test_sidecar_first_last(playground: Playground, first: str) -> None:
    """Both run, once, whichever comes first."""
    playground.start()
    if first == "sidecar_first":
        playground.sidecar("beach")
        wait_for(lambda: playground.events("inbox.waiting"), what="inbox.waiting")
    playground.pair("beach")
    wait_for(lambda: playground.events("job.finished"), what="job.finished")
    assert playground.ended() == 1


def test_picture_never_comes(playground: Playground) -> None:
    """The sidecar fails after `watch.orphan`, and names the picture; others do not wait for it."""
    daemon = playground.start()
    playground.sidecar("lonely", content="beech.png")
    playground.picture("beach.png")
    playground.pair("good")
    wait_for(lambda: playground.events("job.finished", name="good"), what="good")
    assert not playground.events("job.failed")
    playground.configure(watch={"orphan": "1s"})
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: playground.events("job.failed"), what="job.failed")
    reason = playground.reason("lonely")
    assert reason["code"] == "picture_missing"
    assert "'beech.png'" in reason["message"]
    assert "did you mean 'beach.png'?" in reason["hint"]
