"""A grid travels the whole line: its jobs, its progress, its end, and what people ask of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from support.disk import names_in
from support.playground import Playground, codes, finished, wait_for

from nstd.client.status import read_status

LONG = {"steps": 5000, "pause": 0.02}
ONE_STYLE: dict[str, Any] = {"styles": None, "style": "starry.png"}


def grid(playground: Playground, name: str = "studies", **wishes: Any) -> Path:
    """Drop four pictures and a grid of them, atomically; `wishes` go over the usual two by two."""
    folder = (playground.inbox / name).parent
    folder.mkdir(parents=True, exist_ok=True)
    colors = {"beach": "teal", "pier": "brown", "starry": "navy", "scream": "red"}
    for picture, color in colors.items():
        if not (folder / f"{picture}.png").exists():
            Image.new("RGB", (32, 24), color).save(folder / f"{picture}.png")
    wish = {"content": ["beach.png", "pier.png"], "styles": ["starry.png", "scream.png"], **wishes}
    path = playground.inbox / f"{name}.yaml"
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(yaml.safe_dump(wish))
    temporary.rename(path)
    return path


def batches(playground: Playground) -> list[dict[str, Any]]:
    """The batches that the status tells of."""
    return [entry.as_json() for entry in read_status(playground.config).batches]


MEMBERS = ["beach-scream", "beach-starry", "pier-scream", "pier-starry"]


def test_a_grid_becomes_a_folder_of_results_with_a_sheet(playground: Playground) -> None:
    """Each combination with its record, which says what it is; sidecar and sheet beside."""
    text = grid(playground, "sub/studies").read_bytes()
    assert playground.once().returncode == 0
    folder = playground.outbox / "sub" / "studies"
    assert names_in(folder) == ["batch.json", *MEMBERS, "sheet.png", "studies.yaml"]
    assert (folder / "studies.yaml").read_bytes() == text
    record = playground.record("sub/studies/pier-starry")
    (started,) = playground.events("batch.started")
    assert record["batch"] == {
        **{"id": started["batch"], "name": "studies", "index": 2, "of": 4},
        "axes": {"content": "pier.png", "style": "starry.png"},
    }
    assert record["job"] == f"{started['batch']}-002"
    assert record["inputs"]["content"]["file"] == "pier.png"
    with Image.open(folder / "sheet.png") as sheet:
        sheet.load()
    (ended,) = playground.events("batch.finished")
    assert (ended["finished"], ended["failed"], ended["round"], ended["sheet"]) == (4, 0, 1, True)
    assert {line["batch"] for line in playground.events("job.finished")} == {started["batch"]}
    assert names_in(playground.work / ".batches") == []


def test_the_sidecar_of_a_member_makes_the_same_job_again(playground: Playground) -> None:
    """It is a plain sidecar: what it says alone is what the grid said for it."""
    grid(playground, options={"steps": [1, 2]}, output={"format": "webp"}, timeout="30m")
    playground.once()
    folder = playground.outbox / "studies" / "beach-starry-2"
    said = yaml.safe_load((folder / "beach-starry-2.yaml").read_text())
    del said["batch"]
    assert said == {
        **{"content": "beach.png", "style": "starry.png", "options": {"steps": 2}},
        **{"output": {"name": "beach-starry-2", "format": "webp"}, "timeout": "30m"},
    }


def test_pictures_are_linked_between_the_members(playground: Playground) -> None:
    """One copy of each, however many jobs want it."""
    grid(playground, options=LONG)
    process = playground.start()
    wait_for(lambda: len(playground.events("job.claimed")) == 4)
    contents = list(playground.work.glob("2*/content.png"))
    assert sorted(path.stat().st_nlink for path in contents) == [2, 2, 2, 2]
    assert len({path.stat().st_ino for path in contents}) == 2
    playground.stop(process)


def test_a_grid_waits_for_all_of_its_pictures(playground: Playground) -> None:
    """It is one unit: nothing of it is claimed before."""
    grid(playground)
    (playground.inbox / "pier.png").unlink()
    playground.once()
    assert not playground.events("batch.started")
    playground.picture("pier.png")
    playground.once()
    assert len(finished(playground)) == 4


def test_a_grid_beyond_the_cap_is_refused(playground: Playground) -> None:
    """With the product and the cap, and no job at all."""
    playground.configure(jobs={"grid_max": 3})
    grid(playground)
    playground.once()
    assert codes(playground) == {"studies": "grid_too_large"}
    reason = playground.reason("studies")
    assert "content 2 × style 2 makes 4 jobs; jobs.grid_max is 3" in reason["message"]


def test_one_wrong_value_refuses_the_whole(playground: Playground) -> None:
    """With its place; a person corrects one sidecar, not half of its jobs."""
    grid(playground, options={"steps": [1, "many"]})
    playground.once()
    assert codes(playground) == {"studies": "options_invalid"}
    assert "steps: expected a whole number, got 'many'" in playground.reason("studies")["message"]


@pytest.mark.parametrize("taken", ["studies", "failed/studies"])
def test_each_batch_has_a_folder_of_its_own(playground: Playground, taken: str) -> None:
    """A name that something else has gets a number; so does that of a batch under way."""
    (playground.outbox / taken).mkdir(parents=True)
    grid(playground)
    grid(playground, "other", output={"name": "studies"})
    playground.once()
    outputs = {line["output"] for line in playground.events("batch.finished")}
    assert outputs == {"studies-2", "studies-3"}
    assert names_in(playground.outbox / "studies-3") == [
        *("batch.json", *MEMBERS[:2], "other.yaml", *MEMBERS[2:], "sheet.png"),
    ]


def test_a_member_that_fails_leaves_the_others_alone(playground: Playground) -> None:
    """It lies among the failures, in a folder of the batch; the summary has its code."""
    grid(playground, options={"act": ["", "refuse"]}, content="beach.png", **ONE_STYLE)
    playground.once()
    assert codes(playground) == {"beach-starry-refuse": "backend_failed"}
    reason = playground.reason("studies/beach-starry-refuse")
    assert reason["batch"]["axes"] == {"options.act": "refuse"}
    summary = json.loads((playground.outbox / "studies" / "batch.json").read_text())
    assert [each["end"]["code"] for each in summary["members"]] == ["", "backend_failed"]


def test_retry_puts_the_failed_ones_back_and_renews_the_sheet(playground: Playground) -> None:
    """The batch goes on as the one that it was: a second end, a new sheet, nothing else anew."""
    flag = playground.folder / "flag"
    flag.touch()
    options = {"act": ["", "raise", "oom"], "flag": str(flag)}
    grid(playground, "sub/studies", content="beach.png", **ONE_STYLE, options=options)
    playground.once()
    assert len(codes(playground)) == 2
    sheet = playground.outbox / "sub" / "studies" / "sheet.png"
    before = sheet.read_bytes()
    flag.unlink()
    done = playground.command("retry", "studies")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    playground.once()
    assert len(finished(playground)) == 3
    rounds = [(e["round"], e["finished"], e["failed"]) for e in playground.events("batch.finished")]
    assert rounds == [(1, 1, 2), (2, 3, 0)]
    assert sheet.read_bytes() != before
    assert names_in(playground.outbox / "sub") == ["studies"]
    assert not list((playground.outbox / "failed").rglob("reason.json"))
    ids = {line["batch"] for line in playground.events("batch.finished")}
    assert len(ids) == 1
    assert playground.command("retry", "studies").returncode == 1


def test_a_member_that_is_put_back_while_the_sheet_is_drawn_is_on_it(
    playground: Playground,
) -> None:
    """The sheet of the others is given up; the batch ends once, when all is made."""
    flag, hang = playground.folder / "flag", playground.folder / "hang"
    playground.sabotage(
        "import os, sys, time\n"
        "if 'nstd.outbox.contact_sheet' in sys.orig_argv and os.path.exists(os.environ['HANG']):\n"
        "    os.rename(os.environ['HANG'], os.environ['HANG'] + 's')\n"
        "    time.sleep(600)\n"
    )
    for path in (flag, hang):
        path.touch()
    options = {"act": ["", "raise"], "flag": str(flag)}
    grid(playground, content="beach.png", **ONE_STYLE, options=options)
    process = playground.start(env={"HANG": str(hang)})
    wait_for((playground.folder / "hangs").exists)
    assert playground.ended() == 2
    flag.unlink()
    assert playground.command("retry", "studies", env={"HANG": str(hang)}).returncode == 0
    (ended,) = wait_for(lambda: playground.events("batch.finished"))
    assert (ended["finished"], ended["failed"], ended["sheet"], ended["round"]) == (2, 0, True, 1)
    playground.stop(process)


def test_a_batch_ends_though_the_folder_of_a_member_cannot_be_removed_at_first(
    playground: Playground,
) -> None:
    """What is left of the folder says nothing; the failure stays one, and the batch is over."""
    playground.sabotage(
        "import shutil\n"
        "real, broken = shutil.rmtree, []\n"
        "def rmtree(path, *rest, **more):\n"
        "    if '.new' in str(path) and str(path).endswith('-001') and len(broken) < 2:\n"
        "        broken.append(path)\n"
        "        raise OSError(5, 'Input/output error', str(path))\n"
        "    return real(path, *rest, **more)\n"
        "shutil.rmtree = rmtree\n"
    )
    grid(playground, content="beach.png", **ONE_STYLE, options={"act": ["", "refuse"]})
    assert playground.once().returncode == 0
    assert playground.events("disk.failed")
    (ended,) = playground.events("batch.finished")
    assert (ended["finished"], ended["failed"], ended["sheet"]) == (1, 1, True)


def test_a_batch_whose_summary_is_gone_is_not_renewed(playground: Playground) -> None:
    """Somebody took its folder away: the job that is put back is one of its own."""
    flag = playground.folder / "flag"
    flag.touch()
    grid(playground, options={"act": ["", "raise"], "flag": str(flag)}, content="beach.png")
    playground.once()
    (playground.outbox / "studies" / "batch.json").unlink()
    flag.unlink()
    playground.command("retry", "studies")
    playground.once()
    assert len(playground.events("batch.finished")) == 1
    assert len(finished(playground)) == 4


def test_cancel_ends_all_that_has_not_ended(playground: Playground) -> None:
    """Running and waiting ones; what is done stays."""
    grid(playground, options={"steps": 5000, "pause": [0.0, 0.02]}, content="beach.png")
    process = playground.start()
    wait_for(lambda: len(finished(playground)) == 1)
    wait_for(lambda: len(playground.events("job.started")) == 2)
    done = playground.command("cancel", "studies")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: playground.events("batch.finished"))
    assert set(codes(playground).values()) == {"cancelled"}
    assert len(codes(playground)) == 3
    (ended,) = playground.events("batch.finished")
    assert (ended["finished"], ended["failed"]) == (1, 3)
    playground.stop(process)


def test_status_shows_a_batch_as_one_line(playground: Playground) -> None:
    """How many of it are where, while it is under way and when it is over; JSON has it too."""
    grid(playground, options=LONG)
    process = playground.start()
    wait_for(lambda: batches(playground) and batches(playground)[0]["running"])
    (batch,) = json.loads(playground.command("status", "--json").stdout)["batches"]
    counts = {key: batch[key] for key in ("of", "done", "failed", "running", "waiting")}
    assert counts == {"of": 4, "done": 0, "failed": 0, "running": 1, "waiting": 3}
    text = playground.command("status").stdout
    assert "studies  0 of 4 done, 1 running, 3 waiting" in text
    assert "  waiting  " not in text
    playground.command("cancel", "studies")
    wait_for(lambda: playground.events("batch.finished"))
    playground.stop(process)
    assert "studies  0 of 4 done, 4 cancelled" in playground.command("status").stdout


def test_a_stop_in_the_middle_goes_on_at_the_next_start(playground: Playground) -> None:
    """Members keep their state, and the batch its count."""
    grid(playground, options={"steps": 40, "pause": 0.02})
    process = playground.start()
    wait_for(lambda: len(finished(playground)) == 1)
    playground.stop(process)
    (batch,) = batches(playground)
    assert batch["done"] + batch["waiting"] == 4
    playground.once()
    assert len(playground.events("job.finished")) == 4
    assert len(playground.events("batch.finished")) == 1


def test_a_killed_daemon_draws_the_sheet_after_the_next_start(playground: Playground) -> None:
    """Though the last job had ended before; and one sheet only."""
    playground.sabotage("""
import os, sys
if "nstd.outbox.contact_sheet" in sys.orig_argv and os.path.exists(os.environ.get("HANG", "")):
    import time
    time.sleep(600)
""")
    hang = playground.folder / "hang"
    hang.touch()
    grid(playground)
    process = playground.start(env={"HANG": str(hang)})
    wait_for(lambda: len(playground.events("job.finished")) == 4)
    wait_for(lambda: not [p for p in playground.work.iterdir() if p.name[0].isdigit()])
    process.kill()
    process.wait(timeout=120)
    assert not playground.events("batch.finished")
    assert not (playground.outbox / "studies" / "sheet.png").exists()
    hang.unlink()
    playground.once()
    assert len(playground.events("batch.finished")) == 1
    assert (playground.outbox / "studies" / "sheet.png").exists()


def test_a_sheet_that_cannot_be_drawn_harms_nothing(playground: Playground) -> None:
    """It is told with a code; the batch ends without it."""
    playground.sabotage(
        "import sys\nif 'nstd.outbox.contact_sheet' in sys.orig_argv: sys.exit('no paint')\n"
    )
    grid(playground)
    assert playground.once().returncode == 0
    (told,) = playground.events("batch.sheet_failed")
    assert told["code"] == "sheet_failed"
    assert "no paint" in told["reason"]
    (ended,) = playground.events("batch.finished")
    assert (ended["finished"], ended["sheet"]) == (4, False)
    assert not (playground.outbox / "studies" / "sheet.png").exists()


def test_the_loop_goes_on_while_a_sheet_is_drawn(playground: Playground) -> None:
    """A slow disk under the sheet holds up no other job."""
    playground.sabotage(
        "import sys, time\nif 'nstd.outbox.contact_sheet' in sys.orig_argv: time.sleep(600)\n"
    )
    grid(playground)
    process = playground.start()
    wait_for(lambda: len(playground.events("job.finished")) == 4)
    playground.pair("beach")
    wait_for(lambda: "beach" in finished(playground))
    assert playground.stop(process) == 0


def test_the_contents_of_a_grid_may_be_a_series(playground: Playground) -> None:
    """Each job has all of them."""
    both = ["beach.png", "pier.png"]
    wishes: dict[str, Any] = {"series": both, "output": {"size": 16}, "options": {"steps": 1}}
    grid(playground, backend="gatys", **ONE_STYLE, **wishes)
    playground.once()
    assert len(finished(playground)) == 2
    record = playground.record("studies/pier-starry")
    assert [each["file"] for each in record["inputs"]["series"]] == both


def test_a_forged_member_changes_no_batch(playground: Playground) -> None:
    """Whoever writes a `batch` by hand gets a job like any other."""
    grid(playground)
    playground.once()
    (ended,) = playground.events("batch.finished")
    forged = {"id": ended["batch"], "name": "studies", "index": 99, "of": 100, "axes": {}}
    playground.sidecar("mine", content="beach.png", style="starry.png", batch=forged)
    playground.once()
    assert "mine" in finished(playground)
    summary = json.loads((playground.outbox / "studies" / "batch.json").read_text())
    assert len(summary["members"]) == 4


def test_a_batch_of_a_hundred_is_worked_off(playground: Playground) -> None:
    """Its jobs all end once, each under a name of its own."""
    grid(playground, options={"steps": list(range(1, 26))})
    assert playground.once().returncode == 0
    assert len(finished(playground)) == 100
    (ended,) = playground.events("batch.finished")
    assert ended["finished"] == 100


# What a crash may leave, each by itself


def stopped(playground: Playground) -> Path:
    """A daemon that was stopped in the middle of a grid of four; the folder of its batch."""
    grid(playground, options=LONG)
    process = playground.start()
    wait_for(lambda: playground.events("job.started"))
    playground.stop(process)
    (folder,) = playground.work.glob(".batches/2*")
    return folder


def end_quickly(playground: Playground) -> None:
    """Cancel what is left of the batch, and work off."""
    assert playground.command("cancel", "studies").returncode == 0
    assert playground.once().returncode == 0


def test_a_staged_copy_of_a_member_that_is_a_job_is_spare(playground: Playground) -> None:
    """A power cut may bring it back: the member is not made twice."""
    folder = stopped(playground)
    for number in ("000", "001"):
        job = playground.work / f"{folder.name}-{number}"
        shutil.copytree(job, folder / "members" / job.name)
    end_quickly(playground)
    assert playground.ended() == 4
    assert len({line["job"] for line in playground.events("job.failed")}) == 4
    assert not playground.events("disk.failed")


def test_the_claim_of_a_batch_that_is_there_is_a_spare_copy(playground: Playground) -> None:
    """Killed between the rename and the clean-up: the sidecar does not come back."""
    folder = stopped(playground)
    claim = playground.inbox / ".nstd" / folder.name / "studies.yaml"
    claim.parent.mkdir(parents=True)
    shutil.copy(folder / "studies.yaml", claim)
    end_quickly(playground)
    assert len(playground.events("batch.started")) == 1
    assert list(playground.inbox.rglob("*.yaml")) == []


def test_so_is_the_claim_of_a_batch_that_has_ended(playground: Playground) -> None:
    """The inbox may have been away in between; the log knows."""
    text = grid(playground).read_bytes()
    playground.once()
    (ended,) = playground.events("batch.finished")
    claim = playground.inbox / ".nstd" / ended["batch"] / "studies.yaml"
    claim.parent.mkdir(parents=True)
    claim.write_bytes(text)
    playground.once()
    assert len(playground.events("batch.started")) == 1
    assert list(playground.inbox.rglob("*.yaml")) == []


def test_a_batch_that_was_told_of_is_not_told_again(playground: Playground) -> None:
    """Killed before its folder was removed: the same sheet stays, and the folder goes."""
    grid(playground)
    playground.once()
    (ended,) = playground.events("batch.finished")
    published, folder = playground.outbox / "studies", playground.work / ".batches" / ended["batch"]
    folder.mkdir()
    for name in ("batch.json", "sheet.png", "studies.yaml"):
        shutil.copy(published / name, folder / name)
    before = (published / "sheet.png").read_bytes()
    playground.once()
    assert len(playground.events("batch.finished")) == 1
    assert (published / "sheet.png").read_bytes() == before
    assert names_in(folder.parent) == []
