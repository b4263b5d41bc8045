"""Films from the inbox to the outbox, through the real daemon and its workers."""

from __future__ import annotations

import csv
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.cinema import CARRY, pictures, save_folder, save_gif, save_mp4, save_style
from support.playground import Playground, wait_for
from support.plugins import install

from nstd.outbox.own import why_not_ours
from nstd.outbox.survey import look_at

pytestmark = pytest.mark.xdist_group("films")
needs_ffprobe = pytest.mark.skipif(
    shutil.which("ffprobe") is None, reason="needs ffprobe, of Debian's package ffmpeg"
)


@pytest.fixture
def cinema(playground: Playground) -> Playground:
    """A root with a style, and a backend that leans on earlier frames."""
    install(playground.site, "carry", CARRY, attribute="Carry")
    playground.configure(jobs={"backend": "carry"})
    save_style(playground.inbox / "style.png")
    return playground


def frames_of(path: Path) -> int:
    """How many frames an animated picture has."""
    with Image.open(path) as film:
        return int(getattr(film, "n_frames", 1))


def probed(path: Path) -> list[dict[str, Any]]:
    """What ffprobe says of the streams, and how many packets it has read of each."""
    command = ["ffprobe", "-v", "error", "-count_packets", "-show_streams", "-of", "json"]
    done = subprocess.run([*command, str(path)], capture_output=True, check=True)
    streams: list[dict[str, Any]] = json.loads(done.stdout)["streams"]
    return streams


def times_of(path: Path, kind: str) -> list[float]:
    """When each packet of the picture, `v`, or of the sound, `a`, is shown, by ffprobe."""
    command = ["ffprobe", "-v", "error", "-select_streams", f"{kind}:0", "-show_entries"]
    shape = ["packet=pts_time", "-of", "csv=p=0", str(path)]
    done = subprocess.run([*command, *shape], capture_output=True, check=True, text=True)
    return sorted(float(line.strip(",")) for line in done.stdout.split())


@needs_ffprobe
def test_films_of_all_kinds_come_out_with_all_that_belongs_to_them(cinema: Playground) -> None:
    """A GIF, an MP4 with sound, a folder of frames; chosen frames, and another format."""
    inbox, outbox = cinema.inbox, cinema.outbox
    save_gif(inbox / "loop.gif", pictures(3))
    save_mp4(inbox / "tone.mp4", pictures(6), sound=True)
    save_folder(inbox / "shots", pictures(3))
    save_gif(inbox / "flip.png", pictures(2))  # an animated PNG
    cinema.sidecar("flip", content="flip.png")
    cinema.sidecar("loop", content="loop.gif")
    cinema.sidecar("tone", content="tone.mp4", style="loop.gif#1")
    cinema.sidecar("shots", content="shots/", output={"fps": 5})
    cinema.sidecar("part", content="tone.mp4", output={"format": "webm", "frames": "2..5"})
    cinema.sidecar("still", content="tone.mp4#2", output={"format": "jpg"})
    assert cinema.once().returncode == 0
    assert cinema.ended() == 6
    assert not cinema.events("job.failed")
    assert frames_of(outbox / "loop" / "loop.gif") == 3
    assert frames_of(outbox / "flip" / "flip.png") == 2
    picture, sound = probed(outbox / "tone" / "tone.mp4")
    assert (picture["codec_name"], picture["nb_read_packets"]) == ("h264", "6")
    assert (sound["codec_name"], picture["r_frame_rate"]) == ("aac", "10/1")
    for kind in ("v", "a"):
        assert times_of(outbox / "tone" / "tone.mp4", kind) == times_of(inbox / "tone.mp4", kind)
    assert len(list((outbox / "shots" / "shots.frames").glob("*.png"))) == 3
    assert [each["codec_name"] for each in probed(outbox / "part" / "part.webm")] == ["vp9", "opus"]
    assert frames_of(outbox / "still" / "still.jpg") == 1
    record = cinema.record("part")
    assert record["settings"]["film"] == {"kind": "mp4", "frames": "2..5"}
    assert (record["output"]["frames"], record["output"]["sound"]) == (4, True)
    assert "film" not in cinema.record("still")["settings"]
    for name in ("loop", "tone", "shots", "part"):
        with (outbox / name / f"{name}.frames.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == cinema.record(name)["output"]["frames"]
        with Image.open(outbox / name / "sheet.png") as sheet:
            sheet.load()
    assert [path.name for path in cinema.work.iterdir() if path.name[0].isdigit()] == []
    verified = cinema.command("verify")
    assert verified.returncode == 0, verified.stdout
    for name in ("loop", "tone", "shots", "part"):
        (place,) = look_at(outbox, name)
        assert why_not_ours(outbox, place) == ""


def test_what_is_not_for_films_or_not_for_pictures_is_refused_with_its_place(
    cinema: Playground,
) -> None:
    """By the daemon as by `nstd check`; a film that is broken is named as in the sidecar."""
    save_gif(cinema.inbox / "loop.gif", pictures(3))
    (cinema.inbox / "torn.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(500))
    wrong: dict[str, tuple[dict[str, Any], str]] = {
        "a": ({"content": "loop.gif", "output": {"format": "png"}}, "is that of a picture"),
        "b": ({"content": "style.png", "output": {"format": "mp4"}}, "is that of a film"),
        "c": ({"content": "style.png", "output": {"frames": "1..2"}}, "is for films"),
        "d": ({"content": "loop.gif", "init": "style.png"}, "starts at its own frames"),
        "e": ({"content": "style.png", "style": "loop.gif"}, "like loop.gif#0"),
    }
    for name, (wishes, _) in wrong.items():
        cinema.sidecar(name, backend="color-transfer" if name != "d" else "gatys", **wishes)
    cinema.sidecar("f", content="torn.mp4")
    for name, (_, words) in wrong.items():
        done = cinema.command("check", str(cinema.inbox / f"{name}.yaml"))
        assert done.returncode == 1
        assert words in done.stdout
    assert cinema.once().returncode in (0, 1)
    for name, (_, words) in wrong.items():
        reason = cinema.reason(name)
        assert words in reason["message"] + reason["hint"], name
    assert cinema.reason("f")["code"] == "picture_unreadable"
    assert "torn.mp4" in cinema.reason("f")["message"]


def test_a_picture_fades_from_style_to_style_and_can_be_made_again(cinema: Playground) -> None:
    """By a backend that knows no films, with the strength of each frame; the record says it all."""
    Image.new("RGB", (32, 24), "teal").save(cinema.inbox / "photo.png")
    save_style(cinema.inbox / "other.png", (20, 20))
    styles = [{"image": "style.png", "to": "1s"}, {"image": "other.png", "from": "500ms"}]
    cinema.sidecar(
        "moving",
        content="photo.png",
        style=styles,
        backend="color-transfer",
        options={"strength": {"0s": 0.1, "1s": 1}},
        output={"seconds": "1500ms", "fps": 4, "format": "webp"},
    )
    assert cinema.command("check", str(cinema.inbox / "moving.yaml")).returncode == 0
    assert cinema.once().returncode == 0
    record = cinema.record("moving")
    assert record["settings"]["film"] == {"kind": "still", "seconds": 1.5, "fps": 4}
    assert record["settings"]["options"]["strength"] == {"0s": 0.1, "1s": 1}
    assert [(s.get("from"), s.get("to")) for s in record["inputs"]["styles"]] == [
        (None, 1),
        (0.5, None),
    ]
    first = cinema.outbox / "moving" / "moving.webp"
    assert frames_of(first) == 6
    assert cinema.command("again", "moving", "--name", "more").returncode == 0
    assert cinema.once().returncode == 0
    more = cinema.record("more")
    assert [more["settings"][key] for key in ("film", "options")] == [
        record["settings"][key] for key in ("film", "options")
    ]
    second = cinema.outbox / "more" / "more.webp"
    with Image.open(first) as one, Image.open(second) as other:
        for number in range(6):
            one.seek(number)
            other.seek(number)
            assert one.convert("RGB").tobytes() == other.convert("RGB").tobytes()
    assert cinema.command("verify").returncode == 0


def test_a_recipe_is_for_pictures_and_films(cinema: Playground) -> None:
    """Its formats and choices are those of each kind, and touch no other."""
    folder = cinema.inbox / "mixed"
    save_gif(folder / "loop.gif", pictures(4))
    Image.new("RGB", (32, 24), "teal").save(folder / "photo.png")
    text = "style: ../style.png\noutput: {format: webp, every: 2}\n"
    (folder / "recipe.yaml").write_text(text)
    assert cinema.once().returncode == 0
    assert frames_of(cinema.outbox / "mixed" / "loop" / "loop.webp") == 2
    assert frames_of(cinema.outbox / "mixed" / "photo" / "photo.webp") == 1
    assert cinema.once().returncode == 0  # neither is made twice
    assert cinema.ended() == 2


def test_a_daemon_that_is_killed_goes_on_at_the_next_frame(cinema: Playground) -> None:
    """To the same film as one that was made without a break."""
    save_gif(cinema.inbox / "loop.gif", pictures(6))
    flag = cinema.folder / "go-on"
    cinema.sidecar("whole", content="loop.gif")
    assert cinema.once().returncode == 0
    cinema.sidecar("broken", content="loop.gif", options={"pause": 0.2})
    process = cinema.start()
    (job,) = wait_for(lambda: [p for p in cinema.work.iterdir() if p.name[0].isdigit()])
    wait_for(lambda: len(list(job.glob("frames/*.png"))) >= 2)
    process.kill()
    process.wait()
    stored = {path: path.stat().st_mtime_ns for path in job.glob("frames/*.png")}
    assert 2 <= len(stored) < 6
    flag.touch()
    assert cinema.once().returncode == 0
    one, other = (cinema.outbox / name / f"{name}.gif" for name in ("whole", "broken"))
    assert frames_of(one) == frames_of(other) == 6
    with Image.open(one) as first, Image.open(other) as second:
        for number in range(6):
            first.seek(number)
            second.seek(number)
            assert first.convert("RGB").tobytes() == second.convert("RGB").tobytes()
    assert cinema.record("broken")["attempt"] == 1


def test_a_time_out_is_for_each_frame(cinema: Playground) -> None:
    """Frames of half a second end well, though all of them take longer than the time-out; a frame
    that hangs does not."""
    save_gif(cinema.inbox / "loop.gif", pictures(9))
    cinema.configure(workers={"grace": "500ms"})
    cinema.sidecar("slow", content="loop.gif", options={"pause": 0.5}, timeout="4s")
    cinema.sidecar("hung", content="loop.gif", options={"until": "/nowhere"}, timeout="1s")
    assert cinema.once().returncode in (0, 1)
    assert len(cinema.events("job.finished", name="slow")) == 1
    reason = cinema.reason("hung")
    assert reason["code"] == "timed_out"
    assert "a frame" in reason["message"]


def test_a_film_is_seen_while_it_is_made_and_can_be_cancelled(cinema: Playground) -> None:
    """Status names the frame; a pause saves what is done; a cancel leaves nothing."""
    save_folder(cinema.inbox / "shots", pictures(6))
    flag = cinema.folder / "go-on"
    options = {"until": str(flag)}
    cinema.sidecar("film", content="shots/", options=options)
    cinema.start()
    wait_for(lambda: status_of(cinema).get("frames") == 6)
    assert status_of(cinema)["frame"] == 1
    assert "frame 1/6" in cinema.said("status")
    assert cinema.command("verify").returncode == 0
    assert cinema.command("pause", "--now").returncode == 0
    wait_for(lambda: cinema.told("job.requeued"))
    assert cinema.command("resume").returncode == 0
    wait_for(lambda: len(cinema.told("job.started")) == 2)
    assert cinema.command("cancel", "film").returncode == 0
    wait_for(lambda: cinema.told("job.failed", code="cancelled"))
    wait_for(lambda: not [p for p in cinema.work.iterdir() if p.name[0].isdigit()])


def status_of(playground: Playground) -> dict[str, Any]:
    """The entry of the running job; empty while none runs."""
    running = json.loads(playground.said("status", "--json"))["running"]
    return dict(running[0]) if running else {}


def test_submit_again_and_verify_know_films(cinema: Playground, tmp_path: Path) -> None:
    """A film, a folder of frames, and a frame as a style are submitted and made once more."""
    mine = tmp_path / "mine"
    save_gif(mine / "loop.gif", pictures(4))
    save_folder(mine / "shots", pictures(3))
    for content in ("mine/loop.gif", "mine/shots"):
        done = cinema.command("submit", content, "mine/loop.gif#0", "-o", "output.frames=1..2")
        assert done.returncode == 0, done.stderr
    assert cinema.once().returncode == 0, cinema.events("job.failed")
    assert frames_of(cinema.outbox / "loop-in-loop" / "loop-in-loop.gif") == 2
    for name in ("loop-in-loop", "shots-in-loop"):
        done = cinema.command("again", name, "--name", f"{name}-more", "-o", "output.every=2")
        assert done.returncode == 0, done.stderr
    assert cinema.once().returncode == 0
    again = cinema.record("shots-in-loop-more")
    assert again["settings"]["film"] == {"kind": "frames", "frames": "1..2", "every": 2}
    assert again["output"]["frames"] == 1
    assert cinema.command("verify").returncode == 0
    film = cinema.outbox / "loop-in-loop" / "loop-in-loop.gif"
    data = bytearray(film.read_bytes())
    data[-20] ^= 255
    film.write_bytes(data)
    (cinema.outbox / "shots-in-loop" / "shots-in-loop.frames" / "000002.png").unlink()
    done = cinema.command("verify")
    assert done.returncode != 0
    assert "loop-in-loop" in done.stdout
    assert "shots-in-loop" in done.stdout


def test_what_a_failed_film_was_made_of_comes_back_with_a_retry(cinema: Playground) -> None:
    """The folder of frames, and the film of which a style is a frame."""
    save_gif(cinema.inbox / "loop.gif", pictures(2))
    save_folder(cinema.inbox / "shots", pictures(2))
    flag = cinema.folder / "go-on"
    options = {"unless": str(flag)}
    cinema.sidecar("shots", content="shots/", style="loop.gif#0", options=options)
    assert cinema.once().returncode in (0, 1)
    assert cinema.reason("shots")["code"] == "backend_failed"
    shutil.rmtree(cinema.inbox / "shots")
    (cinema.inbox / "loop.gif").unlink()
    assert cinema.command("retry", "shots").returncode == 0
    flag.touch()
    assert cinema.once().returncode == 0
    assert cinema.record("shots")["output"]["frames"] == 2


def test_a_grid_takes_films_and_its_sheet_shows_them(cinema: Playground) -> None:
    """A member is a film, the other a picture."""
    save_gif(cinema.inbox / "loop.gif", pictures(3))
    cinema.sidecar("grid", content=["loop.gif", "style.png"])
    assert cinema.once().returncode == 0
    (manifest,) = cinema.outbox.glob("grid/batch.json")
    ends = [member["end"] for member in json.loads(manifest.read_text())["members"]]
    assert [end["state"] for end in ends] == ["finished", "finished"]
    assert sorted(end["picture"].rpartition(".")[2] for end in ends) == ["gif", "png"]
    with Image.open(manifest.with_name("sheet.png")) as sheet:
        assert "no picture" not in str(sheet.info)
        sheet.load()


def test_a_folder_of_hostile_films_is_worked_off(cinema: Playground) -> None:
    """Cut, torn, of other bytes, of no frames: each ends once, and one worker lives through all."""
    gif = save_gif(cinema.folder / "good.gif", pictures(3)).read_bytes()
    mp4 = save_mp4(cinema.folder / "good.mp4", pictures(4), sound=True).read_bytes()
    draw = random.Random(11)
    films = {"whole.gif": gif, "whole.mp4": mp4}
    for number, data in enumerate((gif, mp4) * 4):
        torn = bytearray(data)
        for _ in range(20):
            torn[draw.randrange(16, len(torn))] = draw.randrange(256)
        films[f"torn-{number}"] = bytes(torn)
        films[f"cut-{number}"] = data[: len(data) * (number + 1) // 9]
    films["empty.mp4"] = mp4[:32]
    films["matroska.mkv"] = b"\x1aE\xdf\xa3" + draw.randbytes(4000)
    for name, data in films.items():
        (cinema.inbox / name).write_bytes(data)
        cinema.sidecar(name.replace(".", "-"), content=name)
    assert cinema.once().returncode in (0, 1)
    assert cinema.ended() == len(films)
    codes = {line["code"] for line in cinema.events("job.failed")}
    assert codes <= {"picture_refused", "picture_unreadable"}
    assert {"whole-gif", "whole-mp4"} <= {each["name"] for each in cinema.events("job.finished")}
    assert len(cinema.events("worker.started")) == 1
    assert not cinema.events("daemon.error")


def test_without_the_extra_the_reason_says_what_to_install(cinema: Playground) -> None:
    """A picture of the same root is made all the same."""
    cinema.sabotage("import sys\nsys.modules['av'] = sys.modules['cv2'] = None\n")
    save_gif(cinema.inbox / "loop.gif", pictures(3))
    cinema.sidecar("film", content="loop.gif", backend="puppet")
    cinema.sidecar("picture", content="style.png", backend="puppet")
    assert cinema.once().returncode in (0, 1)
    assert "pip install 'nstd[film]'" in cinema.reason("film")["hint"]
    assert cinema.record("picture")["output"]["width"] == 32


def test_limits_of_films_are_those_of_the_config(cinema: Playground) -> None:
    """Bytes before anything is copied, frames and pixels before anything is painted."""
    save_gif(cinema.inbox / "loop.gif", pictures(4))
    cinema.configure(limits={"film_frames": 3, "picture_bytes": "1KiB", "film_bytes": "1MiB"})
    cinema.sidecar("many", content="loop.gif", style="tiny.png")
    Image.new("RGB", (8, 8), "teal").save(cinema.inbox / "tiny.png")
    cinema.sidecar("few", content="loop.gif", style="tiny.png", output={"frames": "1..3"})
    cinema.sidecar("one", content="loop.gif#3", style="tiny.png")
    assert cinema.once().returncode in (0, 1)
    assert cinema.record("one")["inputs"]["content"]["file"] == "loop.gif#3"
    assert cinema.reason("many")["code"] == "picture_refused"
    assert "limits.film_frames" in cinema.reason("many")["hint"]
    assert frames_of(cinema.outbox / "few" / "few.gif") == 3
    cinema.configure(limits={"film_bytes": "1KiB"})
    cinema.sidecar("large", content="loop.gif", style="tiny.png")
    assert cinema.once().returncode in (0, 1)
    assert "limits.film_bytes" in cinema.reason("large")["hint"]


def test_a_film_is_known_by_its_bytes_and_not_by_its_name(cinema: Playground) -> None:
    """Also where its name is that of a photograph."""
    save_gif(cinema.inbox / "film.gif", pictures(2))
    (cinema.inbox / "film.gif").rename(cinema.inbox / "film.jpg")
    cinema.sidecar("named", content="film.jpg")
    assert cinema.once().returncode == 0
    assert frames_of(cinema.outbox / "named" / "named.gif") == 2


def test_verify_knows_the_frames_that_a_failed_job_was_made_of(cinema: Playground) -> None:
    """All are as they were, or one is gone; the message names the folder with one slash."""
    save_folder(cinema.inbox / "shots", pictures(2))
    Image.new("RGB", (10, 10)).save(sorted((cinema.inbox / "shots").iterdir())[-1])
    cinema.sidecar("uneven", content="shots/")
    cinema.once()
    assert cinema.reason("uneven")["message"].startswith("shots/")
    assert "//" not in cinema.reason("uneven")["message"]
    verified = cinema.command("verify")
    assert verified.returncode == 0, verified.stdout
    next((cinema.outbox / "failed" / "uneven" / "inputs").glob("*/*")).unlink()
    assert "its copy of shots/ is changed" in cinema.command("verify").stdout
    cinema.sidecar("slashless", content="shots")
    cinema.once()
    assert "'shots/'" in cinema.reason("slashless")["hint"]
