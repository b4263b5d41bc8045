"""Records, reasons and the other files on disk: of older and newer versions, and of nobody's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support.playground import Playground
from support.tables import table

from nstd.documents.model import StoredModel
from nstd.errors import StoreError
from nstd.outbox.record import Reason, Record
from nstd.outbox.results import read_ended, read_heading
from nstd.queue.batch import Batch
from nstd.queue.health import Health
from nstd.queue.job import Failure, Job
from nstd.queue.paths import JobPaths
from nstd.queue.progress import ProgressNote
from nstd.queue.result import FailureRecord, WorkerResult

OLD = Path(__file__).parent / "records"
"""Files that earlier versions have written, as they were but for paths and most of the losses."""
KINDS: dict[str, type[StoredModel]] = {
    "first-record.json": Record,
    "first-reason.json": Reason,
    "mix.json": Record,
    "member.json": Record,
    "failed-reason.json": Reason,
    "refused-reason.json": Reason,
    "job.json": Job,
    "batch.json": Batch,
    "progress.json": ProgressNote,
    "daemon.json": Health,
}
OURS = ("output", "inputs", "settings", "batch")
"""Keys whose values are objects of ours; others, such as `options`, hold what people choose."""


def old(name: str) -> dict[str, Any]:
    """What such a file holds."""
    found: dict[str, Any] = json.loads((OLD / name).read_text())
    return found


def test_each_older_form_is_tried() -> None:
    """One that is kept and not tried would prove nothing."""
    assert {path.name for path in OLD.iterdir()} == set(KINDS)


def holds(now: Any, before: Any) -> bool:
    """Whether all of `before` is in `now`, which may have keys that are new."""
    if isinstance(before, dict):
        return all(key in now and holds(now[key], before[key]) for key in before)
    if isinstance(before, list):
        return len(now) == len(before) and all(map(holds, now, before))
    return bool(now == before)


@table("name", KINDS)
def test_a_file_of_an_older_version_is_read_with_all_that_it_says(name: str) -> None:
    """And written as it was: no key has another name, and none has gone."""
    before = old(name)
    now = KINDS[name].model_validate_json((OLD / name).read_bytes()).model_dump(mode="json")
    assert now["schema_version"] == 1
    assert holds(now, before)


@table("name", KINDS)
def test_keys_that_a_newer_version_has_added_are_read_past(name: str) -> None:
    """At the top and within; what is known is read."""
    kind, told = KINDS[name], old(name)
    ours = {key: told[key] | {"added": 1} for key in OURS if isinstance(told.get(key), dict)}
    assert kind.model_validate(told | ours | {"added": [1]}) == kind.model_validate(told)


@table("name", ["job.json", "batch.json", "progress.json", "daemon.json"])
def test_a_file_of_another_major_version_is_refused(name: str) -> None:
    """What a key means there is not known."""
    with pytest.raises(ValidationError, match="schema_version"):
        KINDS[name].model_validate(old(name) | {"schema_version": 2})


def test_a_job_of_another_version_is_left_alone_and_counted(playground: Playground) -> None:
    """Neither run nor lost; `nstd status` says so, and those beside it run."""
    paths = JobPaths(playground.work / "20261128-130622-c30005")
    paths.folder.mkdir(parents=True)
    paths.job.write_text(json.dumps(old("job.json") | {"schema_version": 2}))
    before = paths.job.read_bytes()
    with pytest.raises(StoreError, match="schema_version"):
        paths.read_job()
    playground.pair("beach")
    assert playground.once().returncode == 0
    assert playground.events("job.finished")[0]["name"] == "beach"
    assert playground.events("job.unreadable")
    assert paths.job.read_bytes() == before
    (told,) = json.loads(playground.command("status", "--json").stdout)["unreadable"]
    assert str(paths.job) in told
    assert f"unreadable: {paths.job}" in playground.command("status").stdout


HOSTILE = {
    "empty": b"",
    "cut": b'{"job": "20261128',
    "no object": b"[]",
    "binary": b"\xff\xfe\x00",
    "too deep": b'{"a": ' + b"[" * 100_000,
    "of wrong kinds": b'{"job": 1, "name": [], "inputs": 3, "batch": {"id": 4}, "seconds": "x"}',
    "not a number": b'{"name": "x", "seconds": {"total": NaN}, "steps": 1e999, "seed": true}',
    "half a character": b'{"name": "\\ud800", "message": "\\udfff\\u001b[2J", "code": "\\u202e"}',
    "another version": b'{"schema_version": 99, "name": "later", "state": "melted"}',
    "a wide batch": b'{"batch": {"id": "b", "name": "n", "index": -1, "of": 0, "axes": []}}',
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_in_the_place_of_a_record_never_raises(tmp_path: Path, data: bytes) -> None:
    """People can write there; as a record, a reason and a heading."""
    for name in ("x.json", "reason.json"):
        path = tmp_path / name
        path.write_bytes(data)
        end = read_ended(path)
        assert end is None or end.state == ("failed" if name == "reason.json" else "finished")
        assert (read_heading(path) is None) is (end is None)


def test_what_is_not_of_its_kind_counts_as_absent_and_the_rest_is_read(tmp_path: Path) -> None:
    """Down to one picture of many facts."""
    told = old("mix.json")
    told["steps"], told["seed"] = "many", True
    told["inputs"]["content"]["bytes"] = None
    told["inputs"]["init"] = 7
    (tmp_path / "mix.json").write_text(json.dumps(told))
    record = read_ended(tmp_path / "mix.json")
    assert isinstance(record, Record)
    assert (record.steps, record.seed, record.inputs.init) == (0, None, None)
    assert record.inputs.content is not None
    assert record.inputs.content.bytes == 0
    assert record.inputs.content.file == "harbour.jpg"
    assert record.device == "cpu"
    assert len(record.inputs.styles) == 2


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)  # holes: as large as no memory


@pytest.mark.parametrize("plant", [_fifo, _link, _large])
def test_what_is_no_file_of_ours_is_not_read(tmp_path: Path, plant: Callable[[Path], None]) -> None:
    """A FIFO would be waited for, a device never ends, and a file may be larger than memory."""
    path = tmp_path / "x.json"
    plant(path)
    assert read_ended(path) is None


def test_hostile_records_break_neither_status_nor_a_search_nor_the_gallery(
    playground: Playground,
) -> None:
    """The good one is still shown by each."""
    playground.pair("good")
    assert playground.once().returncode == 0
    for number, data in enumerate(HOSTILE.values()):
        for folder, name in ((f"odd-{number}", f"odd-{number}"), (f"failed/no-{number}", "reason")):
            (playground.outbox / folder).mkdir(parents=True)
            (playground.outbox / folder / f"{name}.json").write_bytes(data)
    done = playground.command("status")
    assert done.returncode == 0, done.stderr
    assert f"{len(HOSTILE) + 1} done, {len(HOSTILE)} failed" in done.stdout
    assert json.loads(playground.command("status", "--json").stdout)["done"] == len(HOSTILE) + 1
    sought = playground.command("cancel", "good")
    assert "done already: good" in sought.stderr
    assert playground.command("gallery", "--rebuild").returncode == 0
    assert '"good"' in (playground.outbox / "gallery" / "pages" / "1.js").read_text()


def test_a_reason_takes_any_text(tmp_path: Path) -> None:
    """Half a character in the text of an exception must not keep a job from ending."""
    failure = Failure(code="backend_failed", message="a\ud800b", detail="\udcff")
    record = FailureRecord(**failure.model_dump())
    assert (record.message, record.detail) == ("a\\ud800b", "\\udcff")
    assert FailureRecord.model_validate_json(record.model_dump_json()) == record


@table("lacking", ["picture", "device", "steps", "losses", "seconds"])
def test_a_result_that_lacks_what_a_record_needs_is_refused(lacking: str) -> None:
    """No record with a hole in it gets as far as the outbox."""
    facts = old("mix.json")
    whole = facts | {"picture": facts["output"]}
    assert WorkerResult.model_validate(whole).steps == 60
    del whole[lacking]
    with pytest.raises(ValidationError, match=lacking):
        WorkerResult.model_validate(whole)


def test_the_schema_names_what_records_have(playground: Playground) -> None:
    """Every key of a real record, and none that is required is absent."""
    playground.pair("beach")
    playground.once()
    schema = json.loads(playground.command("schema", "record").stdout)
    _hold(schema, schema, playground.record("beach"))
    _hold(schema, schema, old("mix.json") | {"schema_version": 1})


def _hold(schema: dict[str, Any], whole: dict[str, Any], value: dict[str, Any]) -> None:
    """The objects of `value` have the keys that their schemas name."""
    assert set(schema.get("required", [])) <= value.keys() <= set(schema["properties"])
    for key, inner in value.items():
        about = schema["properties"][key]
        about = next((each for each in about.get("anyOf", []) if "$ref" in each), about)
        if isinstance(inner, dict) and "$ref" in about:
            _hold(whole["$defs"][about["$ref"].rpartition("/")[2]], whole, inner)
