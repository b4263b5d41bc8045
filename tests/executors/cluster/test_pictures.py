"""What the driver of a cluster puts into the object store; without Ray."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from pathlib import Path

import pytest

from nstd.executors.cluster import pictures
from nstd.executors.cluster.pictures import PictureStore
from nstd.queue.job import Input, Job


@dataclass(frozen=True)
class Reference:
    """To what was put: the store keeps that as long as this exists."""

    data: bytes


class Store:
    """Remembers what was put; a put takes its time when `gate` is there."""

    def __init__(self) -> None:
        self.puts: list[bytes] = []
        self._references: list[weakref.ref[Reference]] = []
        self.gate: threading.Barrier | None = None

    def kept(self, start: bytes) -> list[bytes]:
        """What there still is a reference to, of what starts so."""
        references = [each() for each in self._references]
        return [each.data for each in references if each and each.data.startswith(start)]

    def put(self, data: bytes) -> Reference:
        if self.gate is not None:
            self.gate.wait(60)
        self.puts.append(data)
        reference = Reference(data)
        self._references.append(weakref.ref(reference))
        return reference


def job(folder: Path, name: str, *styles: str) -> tuple[Job, Path]:
    """A job whose pictures have their names as bytes, and its folder."""
    home = folder / name
    home.mkdir()
    inputs = []
    for number, (role, source) in enumerate([("content", name), *(("style", s) for s in styles)]):
        (home / f"{number}.png").write_bytes(source.encode())
        facts = {"role": role, "source": source, "sha256": source, "bytes": len(source)}
        inputs.append(Input(file=f"{number}.png", **facts))
    fields = {"folder": "", "sidecar": "", "submitted": 0.0, "claimed": 0.0}
    return Job(id=name, name=name, inputs=tuple(inputs), **fields), home


def test_a_style_is_put_once_and_contents_with_each_job(tmp_path: Path) -> None:
    """And the checkpoint, where there is one."""
    store = Store()
    held = PictureStore(store.put)
    first, again = (held.of(*job(tmp_path, name, "swirls")) for name in ("beach", "pier"))
    assert first["1.png"] == again["1.png"]
    assert store.puts == [b"beach", b"swirls", b"pier"]
    resumed, home = job(tmp_path, "dune", "swirls")
    (home / "checkpoint").write_bytes(b"step 7")
    assert set(held.of(resumed, home)) == {"0.png", "1.png", "checkpoint"}
    assert store.puts[3:] == [b"dune", b"step 7"]


def test_what_is_kept_of_styles_is_bounded_however_many_a_job_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The least recently wanted go; one that alone is too large is for its job only."""
    monkeypatch.setattr(pictures, "KEPT", 20)
    store = Store()
    held = PictureStore(store.put)
    for number in range(5):
        held.of(*job(tmp_path, str(number), *(f"style-{number}-{index}" for index in range(4))))
        assert sum(map(len, store.kept(b"style-"))) <= 20
    assert store.kept(b"style-") == [b"style-4-2", b"style-4-3"]
    found = held.of(*job(tmp_path, "huge", "s" * 21))
    assert found["1.png"].data == b"s" * 21
    del found
    assert not store.kept(b"s")


def test_jobs_that_begin_at_once_put_their_style_once(tmp_path: Path) -> None:
    """Each seat of the driver asks from a thread of its own."""
    store, jobs = Store(), [job(tmp_path, str(number), "swirls") for number in range(8)]
    store.gate = threading.Barrier(8)  # all contents are put at the same moment

    def put(data: bytes) -> Reference:
        if data == b"swirls":
            store.gate = None
        return store.put(data)

    held = PictureStore(put)
    threads = [threading.Thread(target=held.of, args=each) for each in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert store.puts.count(b"swirls") == 1
    assert len(store.puts) == 9
