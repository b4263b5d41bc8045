"""A failed job goes back into the inbox, with the pictures it needs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from support.disk import names_in
from support.playground import Playground, wait_for

from nstd.client.doctor import _jobs
from nstd.client.retry import resubmit
from nstd.client.status import read_status
from nstd.errors import StoreError
from nstd.system.durable import Files


def fail(playground: Playground, name: str = "sub/beach") -> Path:
    """A job that failed and would work now."""
    playground.pair(
        name, options={"act": "raise", "attempts_file": str(playground.folder / "n"), "times": 1}
    )
    playground.once()
    assert playground.events("job.failed")
    return playground.outbox / "failed" / name


@pytest.mark.parametrize("gone", [[], ["content.png"], ["content.png", "style.png"]])
def test_a_retried_job_has_its_pictures_again(playground: Playground, gone: list[str]) -> None:
    """Those that are no longer in the inbox come from the copies of the failed folder."""
    failed = fail(playground)
    before = {name: (playground.inbox / "sub" / name).read_bytes() for name in gone}
    for name in gone:
        (playground.inbox / "sub" / name).unlink()
    sidecar = resubmit(playground.config, failed, Files())
    assert sidecar == playground.inbox / "sub" / "beach.yaml"
    assert not failed.exists()
    assert all((playground.inbox / "sub" / name).read_bytes() == before[name] for name in gone)
    playground.once()
    assert len(playground.events("job.finished")) == 1


def test_a_picture_that_lies_there_is_not_overwritten(playground: Playground) -> None:
    """Somebody put a better one there: that is the one they want."""
    failed = fail(playground)
    better = playground.picture("sub/content.png", color="red").read_bytes()
    resubmit(playground.config, failed, Files())
    assert (playground.inbox / "sub" / "content.png").read_bytes() == better


def test_a_sidecar_that_lies_there_is_not_overwritten(playground: Playground) -> None:
    """The one that comes back gets a number."""
    failed = fail(playground)
    playground.sidecar("sub/beach", priority=9)
    assert resubmit(playground.config, failed, Files()).name == "beach-2.yaml"
    assert "priority: 9" in (playground.inbox / "sub" / "beach.yaml").read_text()


@pytest.mark.parametrize("sidecar", ["../../evil.yaml", "/tmp/evil.yaml", 7, None])
def test_a_reason_that_was_tampered_with_leads_nowhere(
    playground: Playground, sidecar: object
) -> None:
    """People can write into the outbox; nothing leaves the inbox for it."""
    failed = fail(playground)
    reason = json.loads((failed / "reason.json").read_text())
    (failed / "reason.json").write_text(json.dumps(reason | {"sidecar": sidecar}))
    with pytest.raises(StoreError, match="cannot be retried"):
        resubmit(playground.config, failed, Files())
    assert failed.exists()


def test_a_failed_job_crosses_filesystems(elsewhere: Path, playground: Playground) -> None:
    """The outbox may lie on another disk than the inbox."""
    playground.configure(folders={"outbox": str(elsewhere)})
    playground.outbox = elsewhere
    sidecar = resubmit(playground.config, fail(playground), Files())
    assert sidecar.exists()
    playground.once()
    assert len(playground.events("job.finished")) == 1


def test_a_picture_that_goes_while_its_job_is_put_back_is_there_again(
    playground: Playground,
) -> None:
    """Another job was done with it just before the sidecar came to need it."""
    failed = fail(playground)
    content = playground.inbox / "sub" / "content.png"

    class Clearing(Files):
        """The daemon removes the picture just before the sidecar is back."""

        def step(self, operation: str, path: Path) -> None:
            if operation == "link" and path.suffix == ".yaml":
                content.unlink()

    resubmit(playground.config, failed, Clearing())
    assert content.exists()


@pytest.mark.parametrize("how", ["cut", "newer"])
def test_a_job_that_cannot_be_read_is_told_and_its_sidecar_is_put_back(
    playground: Playground, how: str
) -> None:
    """Another version wrote it, or a disk tore it: status counts it, doctor fails, retry helps."""
    playground.pair("sub/beach", options={"steps": 5000, "pause": 0.02})
    daemon = playground.start()
    wait_for(lambda: playground.events("job.progress"))
    playground.stop(daemon)
    (path,) = playground.work.glob("2*/job.json")
    text = path.read_text()
    known = json.loads(text) | {"priority": "of a kind that is not known"}
    path.write_text(text[:100] if how == "cut" else json.dumps(known))
    for name in ("content.png", "style.png"):
        (playground.inbox / "sub" / name).unlink()
    job = path.parent.name
    (told,) = read_status(playground.config).unreadable
    assert job in told
    assert job in playground.command("status").stdout
    findings = [f for f in _jobs(playground.config) if f.level == "fail"]
    assert [job in finding.message for finding in findings] == [True]
    done = playground.command("retry", job)
    assert done.returncode == 0, done.stderr
    place = "" if how == "cut" else "sub"
    home = playground.inbox / place
    assert {"beach.yaml", "content.png", "style.png"} <= set(names_in(home))
    assert not path.parent.exists()
    assert read_status(playground.config).unreadable == ()
    sidecar = home / "beach.yaml"
    sidecar.write_text(sidecar.read_text().replace("5000", "1"))
    playground.once()
    assert playground.events("job.finished")


def test_a_refused_sidecar_is_corrected_where_its_reason_says_and_retried(
    playground: Playground,
) -> None:
    """The reason and the log name the file and the command, and these are all that it takes."""
    playground.pair("my beach", options={"stepps": 1})
    playground.once()
    hint = playground.reason("my beach")["hint"]
    said = re.match(r"correct (.+) in the outbox, then `nstd (retry .+?)`", hint)
    assert said, hint
    assert playground.events("job.failed")[0]["hint"] == hint
    sidecar = playground.outbox / said[1]
    sidecar.write_text(sidecar.read_text().replace("stepps", "steps"))
    done = playground.command(*shlex.split(said[2]))
    assert done.returncode == 0, done.stderr
    playground.once()
    assert len(playground.events("job.finished")) == 1


def torn_grid(playground: Playground, torn: str) -> Path:
    """A grid that was stopped on its way, with two jobs staged, whose file `torn` was cut since."""
    names = {"beach": "teal", "pier": "brown", "starry": "navy", "scream": "red"}
    for name, color in names.items():
        playground.picture(f"sub/{name}.png", color=color)
    two = {"content": ["beach.png", "pier.png"], "styles": ["starry.png", "scream.png"]}
    playground.sidecar("sub/studies", **two, style=None, options={"steps": 40, "pause": 0.02})
    daemon = playground.start()
    wait_for(lambda: playground.events("job.progress"))
    playground.stop(daemon)
    (batch,) = (playground.work / ".batches").glob("2*")
    (batch / "members").mkdir(exist_ok=True)
    waiting = sorted(playground.work.glob(f"{batch.name}-*"))[-2:]
    for folder in waiting:
        folder.rename(batch / "members" / folder.name)
    path = batch / torn.format(staged=waiting[0].name)
    path.write_bytes(path.read_bytes()[:100])
    return batch


def test_a_batch_that_cannot_be_read_is_put_back_with_its_pictures(playground: Playground) -> None:
    """From the copies of its jobs, staged or not; those in work go on, and nothing is lost."""
    batch = torn_grid(playground, "batch.json")
    names = ["beach.png", "pier.png", "scream.png", "starry.png"]
    for name in names:
        (playground.inbox / "sub" / name).unlink()
    assert batch.name in playground.command("status").stdout
    done = playground.command("retry", batch.name)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{playground.inbox / 'sub' / 'studies.yaml'} is in the inbox again\n"
    assert names_in(playground.inbox / "sub") == [*names, "studies.yaml"]
    assert not batch.exists()
    assert read_status(playground.config).unreadable == ()
    playground.once()
    (ended,) = playground.events("batch.finished")
    assert (ended["finished"], ended["failed"]) == (4, 0)


def test_a_staged_job_that_cannot_be_read_holds_up_none_of_its_batch(
    playground: Playground,
) -> None:
    """The others are made; it is told by status and doctor, and retry makes the batch whole."""
    batch = torn_grid(playground, "members/{staged}/job.json")
    assert playground.once().returncode == 0
    assert len(playground.events("job.finished")) == 3
    assert not playground.events("batch.finished")
    (torn,) = (batch / "members").iterdir()
    assert torn.name in playground.command("status").stdout
    assert [torn.name in f.message for f in _jobs(playground.config) if f.level == "fail"] == [True]
    done = playground.command("retry", torn.name)
    assert done.returncode == 0, done.stderr
    playground.once()
    (ended,) = playground.events("batch.finished")
    assert (ended["finished"], ended["failed"]) == (4, 0)


def test_a_member_that_was_put_back_is_waited_for_where_it_came_from(
    playground: Playground,
) -> None:
    """It is not lost while its sidecar settles in the inbox, in the folder of its batch."""
    batch = torn_grid(playground, "members/{staged}/job.json")
    playground.once()
    (torn,) = (batch / "members").iterdir()
    done = playground.command("retry", torn.name)
    assert done.stdout.startswith(f"{playground.inbox / 'sub'}/"), done.stdout + done.stderr
    playground.configure(watch={"settle": "4s"})  # the sheet would be drawn long before
    playground.once()
    (ended,) = playground.events("batch.finished")
    assert (ended["finished"], ended["failed"], ended["output"]) == (4, 0, "sub/studies")


def test_a_member_that_somebody_took_away_is_told_as_lost(playground: Playground) -> None:
    """The batch ends all the same."""
    batch = torn_grid(playground, "members/{staged}/job.json")
    playground.once()
    (torn,) = (batch / "members").iterdir()
    shutil.rmtree(torn)
    playground.once()
    (ended,) = playground.events("batch.finished")
    assert (ended["finished"], ended["failed"]) == (3, 1)


def test_a_refused_sidecar_is_found_by_the_name_of_its_file(playground: Playground) -> None:
    """Also where its result has another name; and what can be retried is listed."""
    playground.pair("w4", output={"name": "pier"}, options={"stepps": 1})
    playground.once()
    absent = playground.command("retry", "w5.yaml")
    assert absent.returncode == 1
    assert "there are: failed/" in absent.stderr
    done = playground.command("retry", "w4.yaml")
    assert done.returncode == 0, done.stderr
    assert (playground.inbox / "w4.yaml").exists()
    nothing = playground.command("retry", "w4.yaml")
    assert "in the inbox, not yet a job" in nothing.stderr
    (playground.inbox / "w4.yaml").unlink()
    assert "there is none that this command could take" in (
        playground.command("retry", "w4.yaml").stderr
    )


@pytest.mark.parametrize(
    ("left", "advice"), [([], "`rmdir {}` removes it"), (["content.png"], "then `rm -r {}`")]
)
def test_a_folder_in_work_that_cannot_be_retried_is_not_said_to_be(
    playground: Playground, left: list[str], advice: str
) -> None:
    """An empty one, and one without a sidecar: what it is, and what removes it."""
    folder = playground.work / "20261128-120000-0a1b2c"
    folder.mkdir()
    for name in left:
        (folder / name).touch()
    told = advice.format(folder)
    assert told in playground.command("status").stdout
    assert [told in f.hint for f in _jobs(playground.config) if f.level == "fail"] == [True]
    assert told in playground.command("retry", folder.name).stderr


def test_a_job_file_with_a_wrong_value_is_told_in_plain_words(playground: Playground) -> None:
    """Which key, and what it is: not what a library calls it."""
    folder = playground.work / "20261128-120000-0a1b2c"
    folder.mkdir()
    said = {"id": folder.name, "name": "x", "folder": "", "sidecar": "x.yaml", "priority": "high"}
    (folder / "job.json").write_text(json.dumps(said | {"submitted": 1, "claimed": 1}))
    text = playground.command("status").stdout
    assert (
        f"{folder}/job.json cannot be read: priority: expected a whole number, got 'high'" in text
    )
    (folder / "job.json").write_text('{"id": "cut')
    text = playground.command("status").stdout
    assert "cannot be read: not valid JSON (" in text
    assert "validation error" not in text


def test_a_picture_of_which_no_copy_is_left_is_named_by_retry(playground: Playground) -> None:
    """What is to be done then is said, instead of nothing happening."""
    failed = fail(playground)
    for path in (failed / "inputs").glob("style*"):
        path.unlink()
    (playground.inbox / "sub" / "style.png").unlink()
    reason = json.loads((failed / "reason.json").read_text())
    del reason["inputs"]["styles"][0]["copy"]
    (failed / "reason.json").write_text(json.dumps(reason))
    done = playground.command("retry", "beach")
    assert done.returncode == 0, done.stderr
    assert "it waits for 'style.png', of which no copy is left" in done.stdout
