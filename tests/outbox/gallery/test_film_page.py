"""Films on the page of the gallery, as a real browser plays them."""

from __future__ import annotations

import functools
import http.server
import threading
from pathlib import Path
from typing import Any

import pytest
from support.browser import PHONE, Page, driver, needs_chromium, page
from support.cinema import pictures, save_gif, save_mp4
from support.films import make_film
from support.gallery import config_of, job_id, put_result

from nstd.outbox.gallery.build import build

__all__ = ["driver", "page"]
pytestmark = [needs_chromium, pytest.mark.xdist_group("browser")]  # one for all

FRAMES, RATE = 12, 10


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """An outbox with one film."""
    folder = tmp_path / "root" / "outbox"
    folder.mkdir(parents=True)
    output = {"file": "clip.mp4", "frames": FRAMES, "seconds": 1.2, "rate": 10.0, "sound": True}
    place = put_result(folder, 1, "clip", output=output, settings={"format": "mp4"})
    save_mp4(place / "clip.mp4", pictures(FRAMES), RATE, sound=True)
    for name in ("content", "result"):
        save_mp4(place / "preview" / f"{name}.mp4", pictures(FRAMES), RATE)
    return folder


def show(page: Page, outbox: Path, fragment: str = "") -> None:
    """Bring the gallery into line, and open it."""
    build(config_of(outbox.parent), rebuild=False)
    page.open(outbox, fragment)


def films(page: Page) -> dict[str, Any]:
    """The state of the two films that lie on top of each other, by their classes."""
    script = (
        "return [...document.querySelectorAll('.compare video')].map("
        "v => [v.className, {at: v.currentTime, paused: v.paused, ready: v.readyState}])"
    )
    return dict(page.run(script))


def test_content_and_result_play_together_under_the_slider(page: Page, outbox: Path) -> None:
    """By themselves, silent and again and again; they stop, go on, and go to a place together."""
    show(page, outbox, f"#job={job_id(1)}")
    page.wait(lambda: all(each["ready"] == 4 for each in films(page).values()))
    page.wait(lambda: all(each["at"] > 0.2 for each in films(page).values()))
    page.run("document.querySelector('.divide').value = 20")
    assert page.run("return document.querySelector('.compare video').muted") is True
    page.one(".controls .play").click()
    page.wait(lambda: all(each["paused"] for each in films(page).values()))
    assert page.one(".controls .play").text == "Play"
    page.run(
        "const place = document.querySelector('.controls .place');"
        "place.value = 500; place.dispatchEvent(new Event('input'))"
    )
    page.wait(lambda: all(abs(each["at"] - 0.6) < 0.02 for each in films(page).values()))
    page.one(".controls .play").click()
    page.wait(lambda: not any(each["paused"] for each in films(page).values()))
    before = films(page)["after"]["at"]
    page.wait(lambda: films(page)["after"]["at"] < before)  # it has begun again
    at = films(page)
    assert abs(at["after"]["at"] - at["before"]["at"]) < 0.3


def test_a_film_is_told_of_and_can_be_played_with_its_sound(page: Page, outbox: Path) -> None:
    """Its frames, its length, its files; the film itself is loaded when somebody wants it."""
    put_result(outbox, 3, "beach")
    show(page, outbox)
    assert "Film: 12 frames, 1.2 s, 10 a second" in page.texts(".card .small")
    assert page.one("#summary").text == "1 picture · 1 film"
    show(page, outbox, f"#job={job_id(1)}")
    links = [each.get_attribute("href") or "" for each in page.all(".files a")]
    names = {link.rpartition("/")[2] for link in links}
    assert names >= {"clip.mp4", "sheet.png", "clip.frames.csv", "clip.json"}
    page.one(".whole summary").click()
    film = page.one(".whole video")
    page.run("arguments[0].muted = true; arguments[0].play()", film)
    page.wait(lambda: page.run("return arguments[0].currentTime", film) > 0.1)
    assert page.run("return arguments[0].webkitAudioDecodedByteCount", film) > 0


def test_a_film_without_moving_previews_shows_its_pictures(page: Page, outbox: Path) -> None:
    """And an animated picture moves by itself where there are no small pictures either."""
    output = {"file": "loop.gif", "frames": 4, "seconds": 0.32, "rate": 12.5}
    place = put_result(outbox, 2, "loop", output=output, settings={"format": "gif"})
    save_gif(place / "loop.gif", pictures(4))
    show(page, outbox, f"#job={job_id(2)}")
    assert len(page.all(".compare img")) == 2
    assert page.all("video") == []
    for path in (place / "preview").iterdir():
        path.unlink()
    (outbox / "gallery" / "list.js").unlink()
    show(page, outbox, f"#job={job_id(2)}")
    address = page.one(".alone").get_attribute("src") or ""
    assert address.endswith("/loop/loop.gif")


def test_a_film_in_webm_plays_in_its_own_size(page: Page, outbox: Path) -> None:
    output = {"file": "web.webm", "frames": 6, "seconds": 0.24, "rate": 25.0}
    place = put_result(outbox, 2, "web", output=output, settings={"format": "webm"})
    make_film(place / "web.webm", 6, "libvpx-vp9")
    show(page, outbox, f"#job={job_id(2)}")
    page.one(".whole summary").click()
    film = page.one(".whole video")
    page.run("arguments[0].muted = true; arguments[0].play()", film)
    page.wait(lambda: page.run("return arguments[0].videoWidth", film) == 64)


def test_films_play_behind_a_web_server_and_on_a_phone(page: Page, outbox: Path) -> None:
    """The page allows media from its own place alone."""
    build(config_of(outbox.parent), rebuild=False)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(outbox))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        page.resize(PHONE)
        page.visit(f"http://127.0.0.1:{server.server_port}/index.html#job={job_id(1)}")
        page.wait(lambda: all(each["at"] > 0.1 for each in films(page).values()))
        width = page.run("return document.documentElement.scrollWidth")
        assert width <= PHONE[0]
    finally:
        page.driver.get("about:blank")  # nobody asks the server any more
        server.shutdown()
        server.server_close()
