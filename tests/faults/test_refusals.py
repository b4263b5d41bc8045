"""What must not be opened, read whole or believed: each is answered, and the good job is done."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from support.playground import Playground, codes, wait_for

SECRET = "the secret beside the inbox"
MEMORY = 50 * 2**20


# ../, absolute path, symlink, FIFO, device, symlink swap


def special(path: Path, kind: str) -> None:
    """Put something at `path` that is no regular file."""
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(path.parent):
            listener.bind(path.name)  # a whole path may be too long for a socket
    else:
        path.symlink_to(path.parent.parent / "secret.png")


def test_parent_path_absolute_path_symlink_fifo_device(playground: Playground) -> None:
    """Refused, and a FIFO blocks nobody; nothing outside the roots is opened."""
    secret = playground.root / "secret.png"
    secret.write_text(SECRET)
    past = (0, 0)
    os.utime(secret, past)
    kinds = ["symlink", "fifo", "socket", *(["device"] if os.geteuid() == 0 else [])]
    for kind in kinds:
        special(playground.inbox / f"{kind}.png", kind)
        playground.sidecar(f"as-{kind}", content=f"{kind}.png")
    (playground.inbox / "folder").symlink_to(playground.root)
    named = {"up": "../secret.png", "absolute": str(secret), "through": "folder/secret.png"}
    for name, content in named.items():
        playground.sidecar(name, content=content)
    playground.pair("good")
    assert playground.once().returncode == 0
    refused = {f"as-{kind}" for kind in kinds} | named.keys()
    by_text = {"absolute": "sidecar_invalid"}  # before anything is looked for
    assert codes(playground) == dict.fromkeys(refused, "path_refused") | by_text
    assert [line["name"] for line in playground.events("job.finished")] == ["good"]
    found = [path for path in playground.outbox.rglob("*") if path.is_file()]
    assert not [path for path in found if SECRET.encode() in path.read_bytes()]
    assert secret.stat().st_atime == 0


def test_symlink_swap(playground: Playground) -> None:
    """A picture that turns into a link again and again: its own bytes, or refused."""
    secret = playground.root / "secret.png"
    Image.new("RGB", (8, 8), "red").save(secret)
    picture, link = playground.inbox / "content.png", playground.inbox / ".link"
    link.symlink_to(secret)
    own, swapped = playground.inbox / ".own", playground.inbox / ".swapped"
    playground.picture(picture.name, color="teal").rename(own)
    playground.configure(watch={"settle": "0s", "mode": "poll", "poll": "50ms", "orphan": "1s"})
    playground.picture("style.png")
    playground.start()
    for number in range(10):
        playground.sidecar(f"job-{number}")
    while playground.ended() < 10:
        for source in (link, own):
            os.link(source, swapped, follow_symlinks=False)
            swapped.replace(picture)
    assert set(codes(playground).values()) <= {"path_refused"}
    for line in playground.events("job.finished"):
        with Image.open(playground.outbox / line["output"] / f"{line['name']}.png") as made:
            assert made.size == (32, 24)


# Names with newline, \xff, 255 bytes, NFC/NFD


def test_names_with_newline_xff_255_bytes_nfc_nfd(playground: Playground) -> None:
    """Processed, with escaped lines in the log; nothing can be forged by a name."""
    forged = 'x\n{"event": "job.finished", "job": "forged"}\n\x1b[2J'
    names = [forged, os.fsdecode(b"\xff\xfe"), "n" * 250, "\N{RIGHT-TO-LEFT OVERRIDE}gnp"]
    playground.pair("plain")
    for name in names:
        (playground.inbox / f"{name}.yaml").write_text("content: content.png\nstyle: style.png\n")
    for form in ("NFC", "NFD"):
        word = unicodedata.normalize(form, "süß")
        other = unicodedata.normalize("NFD" if form == "NFC" else "NFC", "süß")
        playground.picture(f"{word}-{form}.png")
        playground.sidecar(f"uses-{form}", content=f"{other}-{form}.png")
    done = playground.once()
    assert done.returncode == 0, done.stderr
    assert not codes(playground)
    assert len(playground.events("job.finished")) == len(names) + 3
    assert not playground.events("job.finished", job="forged")
    assert not [char for char in done.stderr if not char.isprintable() and char != "\n"]
    for path in playground.outbox.iterdir():
        assert path.name.isprintable()


# Merge bomb, aliases, depth, 1 GB file, NaN

LINE = b"content: content.png\nstyle: style.png\n"
BOMBS = {
    "merge-bomb": b"a0: &a0 {x: 1}\n"
    + b"".join(
        b"a%d: &a%d {<<: [*a%d, *a%d, *a%d]}\n" % (i, i, *[i - 1] * 3) for i in range(1, 25)
    ),
    "aliases": LINE
    + b"options: {a: &a [x, x], "
    + b"".join(b"b%d: &b%d [*a, *a, *a, *a, *a], " % (i, i) for i in range(1000))
    + b"}",
    "depth": LINE + b"options: " + b"[" * 30_000 + b"]" * 30_000,
    "keys": LINE + b"options: " + b"{a: " * 15_000,
    "nan": LINE + b"options: {steps: .nan}",
    "infinity": LINE + b"timeout: .inf",
    "duplicate": LINE + b"content: other.png",
    "integer": LINE + b"priority: " + b"9" * 60_000,
}


def test_merge_bomb_aliases_depth_1_gb_file_nan(playground: Playground) -> None:
    """All of them at once: refused in less than a second each, in bounded memory."""
    daemon = playground.start()
    playground.pair("warm")
    wait_for(lambda: playground.events("job.finished", name="warm"))
    process = psutil.Process(daemon.pid)
    before, began = process.memory_info().rss, process.cpu_times().user
    for name, data in BOMBS.items():
        (playground.inbox / f"{name}.yaml").write_bytes(data)
    with (playground.inbox / "gigabyte.yaml").open("wb") as file:
        file.truncate(2**30)
    wait_for(lambda: len(codes(playground)) == len(BOMBS), what="refusals")
    assert process.cpu_times().user - began < len(BOMBS)
    by_backend = {"nan": "options_invalid"}  # in a sidecar `.nan` is a text like any other
    assert codes(playground) == dict.fromkeys(BOMBS, "sidecar_invalid") | by_backend
    (left,) = playground.events("inbox.unreadable")
    assert left["path"] == "gigabyte.yaml"
    assert "1GiB is no sidecar" in left["error"]
    assert (playground.inbox / "gigabyte.yaml").exists()
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) * 1024
    assert peak - before < MEMORY
    playground.pair("good")
    wait_for(lambda: playground.events("job.finished", name="good"), what="good")


def test_a_picture_over_the_limit_of_bytes_is_not_even_copied(playground: Playground) -> None:
    """A terabyte would fill the disk of the work folder, and hold up everybody else."""
    playground.configure(limits={"picture_bytes": "1MiB"})
    with (playground.inbox / "huge.png").open("wb") as file:
        file.truncate(2**40)
    playground.pair("bad", content="huge.png")
    playground.pair("good")
    assert playground.once().returncode == 0
    assert codes(playground) == {"bad": "picture_refused"}
    assert "'huge.png' has 1TiB, more than the limit of 1MiB" in playground.reason("bad")["message"]
    assert [line["name"] for line in playground.events("job.finished")] == ["good"]
    assert not playground.events("disk.full")


# Pixel bomb, 1x60000, CMYK, 16-bit, EXIF-rotated, APNG, fuzzed files


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and has next to nothing in it."""
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    body = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def rotated(path: Path) -> None:
    """A photograph of 20 x 10 whose camera was held upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10)).save(path, exif=exif)


def animated(path: Path) -> None:
    """A PNG of two frames."""
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def fuzzed(path: Path) -> None:
    """A JPEG that is damaged all over."""
    Image.effect_noise((64, 64), 80).save(path)
    data = bytearray(path.read_bytes())
    for at in np.random.default_rng(1).integers(2, len(data), 200):
        data[at] ^= 0xFF
    path.write_bytes(data)


ODD: dict[str, tuple[str, Callable[[Path], object], str | tuple[int, int]]] = {
    "pixel_bomb": ("png", lambda path: path.write_bytes(png_of(60_000, 60_000)), "picture_refused"),
    "1x60000": ("png", lambda path: Image.new("RGB", (1, 60_000)).save(path), (1, 60_000)),
    "cmyk": ("jpg", lambda path: Image.new("CMYK", (9, 7)).save(path), (9, 7)),
    "16_bit": ("png", lambda path: Image.new("I;16", (9, 7), 40_000).save(path), (9, 7)),
    "exif_rotated": ("jpg", rotated, (10, 20)),
    "apng": ("png", animated, (8, 8)),
    "fuzzed": ("jpg", fuzzed, "picture_unreadable"),
    "half": ("png", lambda path: path.write_bytes(png_of(64, 64)), "picture_unreadable"),
}


def test_pixel_bomb_1x60000_cmyk_16_bit_exif_rotated_apng_fuzzed_files(
    playground: Playground,
) -> None:
    """A reason code or the right picture, all by one worker."""
    for name, (ending, make, _) in ODD.items():
        make(playground.inbox / f"{name}.{ending}")
        playground.pair(f"of-{name}", content=f"{name}.{ending}")
    assert playground.once().returncode == 0
    for name, (_, _, expected) in ODD.items():
        if isinstance(expected, str):
            assert playground.reason(f"of-{name}")["code"] == expected, name
            continue
        with Image.open(playground.outbox / f"of-{name}" / f"of-{name}.png") as made:
            assert made.size == expected, name
    assert len(playground.events("worker.started")) == 1
