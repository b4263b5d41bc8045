"""Which sidecars are ready, and when: on a clock that the test moves."""

from __future__ import annotations

import os
import time
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nstd.documents.config import Config
from nstd.intake.inbox import Inbox
from nstd.intake.locator import Found
from nstd.intake.ready import Ready
from nstd.logs.log import listen
from nstd.queue.inbox_note import InboxNote

SETTLE, ORPHAN = 5.0, 60.0


class Desk:
    """An inbox with a clock, and the events that it tells."""

    def __init__(
        self, root: Path, told: list[dict[str, Any]] | None = None, **settings: Any
    ) -> None:
        self.told = [] if told is None else told
        self.root, self.folder, self.styles = root, root / "inbox", root / "styles"
        self.folder.mkdir()
        self.styles.mkdir()
        watch = {"settle": SETTLE, "orphan": ORPHAN} | settings.pop("watch", {})
        self.config = Config.at(root, watch=watch, **settings)
        self.inbox, self.now = Inbox(self.config), 1000.0

    def drop(self, name: str, text: str = "x") -> Path:
        """Put a file into the inbox."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def pair(self, name: str, content: str = "c.png", style: str = "s.png", more: str = "") -> Path:
        """Put a sidecar and its pictures into the inbox."""
        for picture in (content, style):
            if not (self.folder / name).parent.joinpath(picture).exists():
                self.drop(f"{Path(name).parent}/{picture}")
        return self.drop(name, f"content: {content}\nstyle: {style}\n{more}")

    def look(self, after: float = 0.0) -> list[Ready]:
        """Read the inbox, so many seconds later."""
        self.now += after
        return self.inbox.ready(self.now)

    def settled(self) -> list[Ready]:
        """Read the inbox until all that will become stable has done so."""
        for _ in range(3):
            ready = self.look(SETTLE)
        return ready

    def names(self, ready: list[Ready]) -> list[str]:
        """The names of what is ready."""
        return [entry.name for entry in ready]

    def events(self, event: str) -> list[dict[str, Any]]:
        """What was told."""
        return [line for line in self.told if line["event"] == event]


@pytest.fixture
def desk(tmp_path: Path, logged: list[dict[str, Any]]) -> Desk:
    """An empty inbox."""
    return Desk(tmp_path, logged)


def test_what_lies_there_at_the_start_has_to_settle_too(desk: Desk) -> None:
    """A daemon that starts may find files that are still being written."""
    desk.pair("a.yaml")
    assert desk.look() == []
    assert desk.look(SETTLE - 0.1) == []
    assert desk.look(0.1) == []  # the sidecar is stable; its pictures are seen from now on
    assert desk.names(desk.look(SETTLE)) == ["a.yaml"]
    assert desk.names(desk.look(1)) == ["a.yaml"]


@pytest.mark.parametrize("what", ["a.yaml", "c.png", "s.png"])
def test_any_change_of_any_file_restarts_the_clock(desk: Desk, what: str) -> None:
    """The sidecar and both pictures: written to, replaced, or only touched."""
    desk.pair("a.yaml")
    path = desk.folder / what
    text = path.read_text()
    assert desk.names(desk.settled()) == ["a.yaml"]

    def grow() -> None:
        path.write_text(text + "\n")

    def replace() -> None:
        (desk.root / "new").write_text(text)
        (desk.root / "new").rename(path)

    for change in (grow, replace, lambda: os.utime(path), lambda: path.chmod(0o600)):
        change()
        assert desk.look(1) == [], change
        assert desk.look(SETTLE - 1) == []
        assert desk.names(desk.settled()) == ["a.yaml"]


def test_a_file_that_grows_a_byte_at_a_time_is_not_ready_before_it_is_done(desk: Desk) -> None:
    """One byte a second, looked at each second: the clock never runs out."""
    desk.pair("a.yaml")
    with (desk.folder / "c.png").open("ab", buffering=0) as file:
        for _ in range(20):
            file.write(b"x")
            assert desk.look(1) == []
    assert desk.names(desk.settled()) == ["a.yaml"]
    assert desk.settled()[0].pictures[0].signature.size == 21


def test_a_renamed_file_settles_under_its_new_name(desk: Desk) -> None:
    """Uploads that end with a rename: the partial name is nobody's business."""
    desk.pair("a.yaml")
    (desk.folder / "c.png").rename(desk.folder / "c.png.part")
    assert desk.settled() == []
    (desk.folder / "c.png.part").rename(desk.folder / "c.png")
    assert desk.look(1) == []
    assert desk.names(desk.look(SETTLE)) == ["a.yaml"]
    (desk.folder / "a.yaml").rename(desk.folder / "b.yaml")
    assert desk.look(1) == []
    assert desk.names(desk.settled()) == ["b.yaml"]


@pytest.mark.parametrize("first", ["sidecar", "pictures"])
def test_sidecar_and_pictures_come_in_any_order(desk: Desk, first: str) -> None:
    """Hours may lie between them; waiting is told once, and not again while nothing changes."""
    if first == "pictures":
        desk.drop("c.png")
        desk.drop("s.png")
        assert desk.look(ORPHAN * 10) == []
        desk.pair("a.yaml")
        assert desk.names(desk.settled()) == ["a.yaml"]
        assert not desk.told
        return
    desk.drop("a.yaml", "content: c.png\nstyle: s.png\n")
    for _ in range(3):
        assert desk.settled() == []
    desk.drop("c.png")
    for _ in range(3):
        assert desk.look(1) == []
    desk.drop("s.png")
    assert desk.names(desk.settled()) == ["a.yaml"]
    assert [line["missing"] for line in desk.events("inbox.waiting")] == [
        ["c.png", "s.png"], ["s.png"],
    ]  # fmt: skip


def test_waiting_for_a_picture_becomes_a_warning_after_a_minute(tmp_path: Path) -> None:
    """Told at once and once more, with the nearest name that is there; and in the notes."""
    told: list[dict[str, Any]] = []
    stop = listen(lambda _event, line: told.append(line))
    desk = Desk(tmp_path, told, watch={"orphan": 3600.0})
    desk.drop("a.yaml", "content: chelsea.jpg\nstyle: s.png\n")
    desk.drop("Chelsea.JPG")
    desk.drop("s.png")
    began = time.time()
    desk.settled()
    assert desk.inbox.deadline - desk.now <= 60
    for _ in range(3):
        desk.look(60)
    stop()
    first, late = desk.events("inbox.waiting")
    assert (first["level"], first["nearest"]) == ("info", {"chelsea.jpg": "Chelsea.JPG"})
    assert late["level"] == "warning"
    assert late["waited"] >= 60
    (note,) = desk.inbox.notes()
    assert (note.name, note.kind, note.missing) == ("a.yaml", "waiting", ("chelsea.jpg",))
    assert note.nearest == {"chelsea.jpg": "Chelsea.JPG"}
    assert note.message == "waits for 'chelsea.jpg'; did you mean 'Chelsea.JPG'?"
    assert note.since is not None
    assert began - 60 < note.since <= time.time()


def test_a_folder_of_frames_is_complete_when_nothing_in_it_has_changed(desk: Desk) -> None:
    """A frame that comes, grows or goes begins the wait anew."""
    desk.drop("s.png")
    for number in range(3):
        desk.drop(f"shots/{number:04}.png")
    desk.drop("a.yaml", "content: shots/\nstyle: s.png\n")
    desk.look()
    assert desk.look(SETTLE - 1) == []
    desk.drop("shots/0003.png")
    assert desk.look(2) == []
    desk.drop("shots/0001.png", "longer than before")
    assert desk.look(SETTLE - 1) == []
    (desk.folder / "shots" / "0000.png").unlink()
    assert desk.look(2) == []
    (ready,) = desk.look(SETTLE)
    content = ready.pictures[0]
    assert (content.name, content.is_folder) == ("shots", True)
    assert content.signature.size == len("longer than before") + 2
    (desk.folder / "shots" / "0002.png").write_text("y")
    assert not desk.inbox.root.folder_signature("shots").same_bytes(content.signature)


def test_many_pictures_of_a_folder_are_told_in_one_note(desk: Desk) -> None:
    """They may be the frames of a film; those that a sidecar names as such are not told at all."""
    for number in range(12):
        desk.drop(f"shots/{number:04}.png")
        desk.drop(f"named/{number:04}.png")
    desk.drop("few/a.png")
    desk.drop("a.yaml", "content: named/\nstyle: absent.png\n")
    desk.settled()
    notes = {note.name: note.message for note in desk.inbox.notes() if note.kind == "unnamed"}
    assert set(notes) == {"shots/", "few/a.png"}
    assert "nstd submit shots/ STYLE" in notes["shots/"]


@pytest.mark.parametrize("way", ["link", "file", "outside"])
def test_a_folder_of_frames_leads_nowhere_else(desk: Desk, tmp_path: Path, way: str) -> None:
    """A link to a folder is not followed, nor is a link in one; a file is no folder."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "0001.png").write_text("x")
    desk.drop("s.png")
    if way == "link":
        (desk.folder / "shots").symlink_to(outside)
    elif way == "file":
        desk.drop("shots")
    name = "../outside/" if way == "outside" else "shots/"
    desk.drop("a.yaml", f"content: {name}\nstyle: s.png\n")
    (ready,) = desk.settled()
    assert ready.error is not None
    assert ready.error.code == "path_refused"


def test_what_looks_like_a_mistake_is_noted(desk: Desk) -> None:
    """Sidecars under other endings, old films, pictures nobody names; not what is on its way."""
    for name in ("a.yaml.txt", "b.json", "sub/c.wmv", "d.png", ".hidden.json", "e.png.part"):
        desk.drop(name)
    desk.settled()
    notes = {note.name: (note.kind, note.message) for note in desk.inbox.notes()}
    assert {name: kind for name, (kind, _) in notes.items()} == {
        "a.yaml.txt": "mistake",
        "b.json": "mistake",
        "sub/c.wmv": "mistake",
        "d.png": "unnamed",
    }
    assert "rename it to 'a.yaml'" in notes["a.yaml.txt"][1]
    assert "b.yaml" in notes["b.json"][1]
    assert "is a film" in notes["sub/c.wmv"][1]
    desk.pair("e.yaml")
    desk.look(SETTLE)
    assert "unnamed" not in {note.kind for note in desk.inbox.notes()}


def test_a_text_beside_the_frames_of_a_film_is_no_mistake(desk: Desk) -> None:
    """It is not one for a sidecar, once somebody has named the folder."""
    for name in ("s.png", "shots/1.png", "shots/2.png", "shots/notes.txt"):
        desk.drop(name)
    desk.settled()
    mistakes = [note.name for note in desk.inbox.notes() if note.kind == "mistake"]
    assert mistakes == ["shots/notes.txt"]
    desk.drop("a.yaml", "content: shots/\nstyle: s.png\n")
    desk.settled()
    assert desk.inbox.notes() == []


def test_a_note_that_an_earlier_version_wrote_is_read() -> None:
    """It had one name instead of one for each picture."""
    note = InboxNote.model_validate(
        {"name": "a.yaml", "kind": "waiting", "message": "", "nearest": "b.png"}
    )
    assert note.nearest == {}


@pytest.mark.parametrize(
    ("said", "there"),
    [
        ("chelsea.jpg", "Chelsea.JPG"),
        ("sea", "sea.jpg"),
        ("sea.jpg", "sea.webp"),
        ("sub/sea.jpg", "sea.jpg"),
        ("sub/see.jpg", "sub/sea.jpg"),
        ("scraem", "../styles/scream.png"),
    ],
)
def test_the_nearest_name_is_what_the_sidecar_should_say(desk: Desk, said: str, there: str) -> None:
    """Whatever the case and the ending; in the folder that it says, beside it, in the library."""
    desk.drop(there)
    desk.drop("sea.txt")
    desk.drop("sea.yaml")
    meant = there.removeprefix("../styles/")
    assert desk.inbox.locator.nearest("a.yaml", said) == meant


def test_a_picture_that_never_comes_is_named_with_the_nearest_name(desk: Desk) -> None:
    """An orphan becomes ready to fail, once its time is over and not before."""
    desk.drop("a.yaml", "content: beach.jpg\nstyle: s.png\n")
    desk.drop("beech.jpg")
    desk.drop("s.png")
    desk.look()
    assert desk.look(SETTLE) == []
    assert desk.inbox.pending == 0
    assert desk.look(ORPHAN - 0.1) == []
    assert desk.inbox.deadline == pytest.approx(desk.now + 0.1)
    (ready,) = desk.look(0.1)
    assert ready.error is not None
    assert ready.error.code == "picture_missing"
    assert "'beach.jpg'" in ready.error.message
    assert "'s.png'" not in ready.error.message
    assert "did you mean 'beech.jpg'?" in ready.error.hint


def test_all_endings_and_folders_are_found_and_ignored_names_are_not(desk: Desk) -> None:
    """`.yaml`, `.yml`, capitals; sub-folders; nothing hidden, temporary or partial."""
    for name in (
        "a.yaml",
        "b.yml",
        "C.YAML",
        "sub/d.yaml",
        "sub/deep/er/e.Yml",
        "folder.yaml/f.yaml",
    ):
        desk.pair(name)
    for name in (
        ".h.yaml",
        "x.yaml.part",
        "~y.yaml",
        ".sub/z.yaml",
        "@eaDir/z.yaml",
        "x.yaml.json",
    ):
        desk.pair(name)
    assert sorted(desk.names(desk.settled())) == [
        "C.YAML", "a.yaml", "b.yml", "folder.yaml/f.yaml", "sub/d.yaml", "sub/deep/er/e.Yml",
    ]  # fmt: skip


def test_priority_comes_first_then_age(desk: Desk) -> None:
    """The order in which sidecars are claimed; what is refused is answered at once."""
    for number, (name, priority) in enumerate([("old", 50), ("new", 50), ("high", 90), ("low", 0)]):
        path = desk.pair(f"{name}.yaml", more=f"priority: {priority}\n")
        os.utime(path, (9 - number, 9 - number))  # says nothing: the ctime tells when it came
        time.sleep(0.02)  # files are timed by the ticks of the kernel
    desk.drop("wrong.yaml", "contents: c.png")
    assert desk.names(desk.settled()) == [
        "wrong.yaml", "high.yaml", "old.yaml", "new.yaml", "low.yaml",
    ]  # fmt: skip


def test_a_broken_sidecar_waits_until_it_is_stable_then_says_where(desk: Desk) -> None:
    """Half a file is often one that is still being written."""
    desk.drop("a.yaml", "content: c.png\nstyle: [s.png")
    assert desk.look() == []
    (ready,) = desk.look(SETTLE)
    assert ready.error is not None
    assert ready.error.code == "sidecar_invalid"
    assert "a.yaml:2:" in ready.error.message


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        ("../c.png", "path_refused"),
        ("../../inbox/c.png", "path_refused"),
        ("link.png", "path_refused"),
        ("linked/c.png", "path_refused"),
        ("fifo.png", "path_refused"),
        ("/etc/passwd", "sidecar_invalid"),
    ],
)
def test_a_path_that_is_refused_names_the_sidecar(desk: Desk, picture: str, code: str) -> None:
    """The person has to find the file that says so."""
    desk.drop("c.png")
    (desk.folder / "link.png").symlink_to("/etc/passwd")
    (desk.folder / "linked").symlink_to("/etc")
    os.mkfifo(desk.folder / "fifo.png")
    desk.drop("evil.yaml", f"content: {picture}\nstyle: c.png\n")
    (ready,) = desk.settled()
    assert ready.error is not None
    assert ready.error.code == code
    assert ready.error.message.startswith("evil.yaml:")
    assert picture in ready.error.message or "absolute" in ready.error.message


def test_the_message_names_a_sidecar_in_a_folder(desk: Desk) -> None:
    """With its folder, as people see it."""
    desk.drop("sub/evil.yaml", "content: ../../x.jpg\nstyle: c.png\n")
    (ready,) = desk.settled()
    assert ready.error is not None
    assert ready.error.message == "sub/evil.yaml: '../../x.jpg' is outside the inbox"


def test_dots_that_stay_inside_the_inbox_are_allowed(desk: Desk) -> None:
    """One picture beside many folders of sidecars."""
    desk.drop("c.png")
    desk.drop("sub/a.yaml", "content: ../c.png\nstyle: .././c.png\n")
    (ready,) = desk.settled()
    assert ready.error is None
    assert {picture.name for picture in ready.pictures} == {"c.png"}


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "avif", "tiff", "JPG", "JPEG", "PNG", "AVIF"])
def test_a_style_is_found_by_its_stem_whatever_its_ending(desk: Desk, ending: str) -> None:
    """Also where a camera or Windows has written the ending in capitals."""
    (desk.styles / f"starry-night.{ending}").write_text("x")
    desk.drop("c.png")
    desk.drop("a.yaml", "content: c.png\nstyle: starry-night\n")
    (ready,) = desk.settled()
    assert ready.pictures[1].name == f"starry-night.{ending}"


@pytest.mark.parametrize("said", ["starry-night", "starry-night.jpg", "dutch/scream"])
def test_a_style_is_found_in_the_library(desk: Desk, said: str) -> None:
    """By its name or by its stem; what lies beside the sidecar goes before."""
    (desk.styles / "starry-night.jpg").write_text("x")
    (desk.styles / "dutch").mkdir()
    (desk.styles / "dutch" / "scream.webp").write_text("x")
    desk.drop("c.png")
    desk.drop("a.yaml", f"content: c.png\nstyle: {said}\n")
    (ready,) = desk.settled()
    assert ready.error is None
    assert ready.pictures[1].root.path == desk.styles
    desk.drop(said)
    (ready,) = desk.settled()
    assert ready.pictures[1].root.path == desk.folder


def test_the_library_is_not_a_way_out(desk: Desk) -> None:
    """Neither by dots nor by a link."""
    (desk.styles / "link.png").symlink_to("/etc/passwd")
    desk.drop("sub/c.png")
    desk.drop("sub/dots.yaml", "content: c.png\nstyle: ../inbox/sub/c.png\n")
    desk.drop("sub/link.yaml", "content: c.png\nstyle: link.png\n")
    ready = {entry.name: entry.error for entry in desk.settled()}
    assert ready.keys() == {"sub/link.yaml"}  # the other names a picture that is not there
    assert ready["sub/link.yaml"] is not None
    assert ready["sub/link.yaml"].code == "path_refused"


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
def test_unicode_normal_forms_do_not_matter(desk: Desk, on_disk: Any) -> None:
    """macOS and Linux spell `ü` in different bytes, in names of files and of folders."""
    other: Any = "NFD" if on_disk == "NFC" else "NFC"
    desk.drop(unicodedata.normalize(on_disk, "Bücher/Café.png"))
    desk.drop(
        "a.yaml", unicodedata.normalize(other, "content: Bücher/Café.png\nstyle: Bücher/Café.png")
    )
    (ready,) = desk.settled()
    assert ready.error is None
    assert (desk.folder / ready.pictures[0].name).exists()


@pytest.mark.parametrize(
    "name",
    ["two\nlines.yaml", os.fsdecode(b"\xff\xfe.yaml"), "n" * 250 + ".yaml", "ü" * 125 + ".yaml"],
)
def test_odd_names_are_ready_like_any_other(desk: Desk, name: str) -> None:
    """Newlines, bytes that are no UTF-8, and names as long as they get."""
    desk.pair(name)
    assert desk.names(desk.settled()) == [name]
    (desk.folder / name).write_text("wrong")
    (ready,) = desk.settled()
    assert ready.error is not None
    ready.error.message.encode()
    assert "\n" not in ready.error.message.partition(":")[0]


def test_a_name_too_long_for_the_disk_is_a_missing_picture(desk: Desk) -> None:
    """It cannot be there; that is no error of the disk."""
    desk.drop("c.png")
    desk.drop("a.yaml", f"content: c.png\nstyle: {'s' * 253}\n")
    assert desk.settled() == []
    assert len(desk.events("inbox.waiting")) == 1
    assert desk.events("inbox.unreadable") == []


@pytest.mark.parametrize("kind", ["link", "fifo", "dangling"])
def test_a_sidecar_that_is_no_file_is_left_and_told_once(desk: Desk, kind: str) -> None:
    """It is never opened, and the others go on."""
    path = desk.folder / "odd.yaml"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/etc/hostname" if kind == "link" else "nowhere")
    desk.pair("a.yaml")
    for _ in range(3):
        assert desk.names(desk.settled()) == ["a.yaml"]
    assert len(desk.events("inbox.unreadable")) == 1
    assert desk.inbox.pending == 1


def test_a_lost_inbox_is_an_error_and_nothing_is_forgotten(desk: Desk) -> None:
    """When it is back, sidecars are ready without starting anew."""
    desk.pair("a.yaml")
    desk.settled()
    desk.folder.rename(desk.root / "away")
    with pytest.raises(FileNotFoundError):
        desk.look(1)
    assert desk.inbox.count == 1
    (desk.root / "away").rename(desk.folder)
    assert desk.names(desk.look(1)) == ["a.yaml"]


def test_a_sidecar_is_read_for_its_claim_as_it_was_looked_at(desk: Desk) -> None:
    """One that has changed since, or is gone, is left to a later look."""
    path = desk.pair("a.yaml", more="output: {name: beach}\n")
    (ready,) = desk.settled()
    read = desk.inbox.read(ready)
    assert read is not None
    assert read.parsed is not None
    assert read.parsed.sidecar.output.name == "beach"
    desk.pair("a.yaml", more="output: {name: shore}\n")
    assert desk.inbox.read(ready) is None
    path.unlink()
    assert desk.inbox.read(ready) is None


def test_a_picture_that_many_sidecars_name_is_looked_at_once_a_look(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And again at the next look: a change of it concerns them all."""
    for number in range(5):
        desk.pair(f"{number}.yaml")
    assert len(desk.settled()) == 5
    asked: list[str] = []
    find = desk.inbox.locator.find

    def asking(sidecar: str, source: str) -> Found | None:
        asked.append(source)
        return find(sidecar, source)

    monkeypatch.setattr(desk.inbox.locator, "find", asking)
    desk.look()
    assert sorted(asked) == ["c.png", "s.png"]
    desk.drop("c.png", "another one")
    assert desk.look() == []


def test_a_look_reads_no_longer_than_its_budget(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is pending, due at once, and read by the next look."""
    monkeypatch.setattr("nstd.intake.sidecar_cache.BUDGET", 0.0)
    for number in range(3):
        desk.pair(f"{number}.yaml")
    desk.look()
    desk.look(SETTLE)
    assert desk.inbox.deadline == desk.now
    assert desk.inbox.pending == 3
    for count in (1, 2, 3):
        desk.look(SETTLE)
        assert len(desk.look()) >= count


def test_a_held_sidecar_waits_longer_each_time(desk: Desk) -> None:
    """Its claim met an error: no hot loop."""
    desk.pair("a.yaml")
    desk.settled()
    for wait in (10, 20, 40):
        desk.inbox.holds.add_error("a.yaml", desk.now)
        assert desk.look(wait - 1) == []
        assert desk.inbox.deadline == pytest.approx(desk.now + 1)
        assert desk.names(desk.look(1)) == ["a.yaml"]
    (desk.folder / "a.yaml").unlink()
    desk.look(1)
    desk.pair("a.yaml")
    assert desk.names(desk.settled()) == ["a.yaml"]


def test_the_clock_of_the_wall_does_not_matter(desk: Desk) -> None:
    """Files from the future and from long ago are stable when they do not change."""
    for name, when in (("future.yaml", 4e9), ("past.yaml", 1.0)):
        os.utime(desk.pair(name), (when, when))
    assert sorted(desk.names(desk.settled())) == ["future.yaml", "past.yaml"]


@pytest.mark.parametrize("written", [1.0, 4e9])
def test_a_sidecar_arrives_when_it_comes_whatever_its_mtime_says(
    desk: Desk, written: float
) -> None:
    """rsync -t, cp -p and unzip keep the mtime of the original; a wrong clock makes others."""
    before = time.time() - 1
    os.utime(desk.pair("a.yaml"), (written, written))
    (ready,) = desk.settled()
    assert before < ready.arrived <= time.time()


def test_an_arrival_is_never_later_than_now(desk: Desk) -> None:
    """The clock of a share, or ours before it was set back, may be ahead."""
    desk.pair("a.yaml")
    (ready,) = desk.settled()
    ahead = ready.signature._replace(ctime_ns=int(4e18))
    assert replace(ready, signature=ahead).arrived <= time.time()


def test_needed_pictures_are_those_of_every_sidecar_that_lies_there_now(desk: Desk) -> None:
    """Asked before pictures are cleared: it knows when there is one that it has not read."""
    desk.pair("a.yaml", "é.png")
    desk.drop("evil.yaml", "content: ../../x.png\nstyle: s.png\n")
    assert desk.inbox.needed() is None
    desk.settled()
    assert desk.inbox.needed() == {"é.png", "s.png"}
    desk.pair("sub/b.yaml", "c.png")
    assert desk.inbox.needed() is None
    desk.settled()
    assert desk.inbox.needed() == {"é.png", "s.png", "sub/c.png", "sub/s.png"}
