"""The page of the gallery, as a real browser shows it: no network, no complaint in the console."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from support.browser import PHONE, WIDE, Page, driver, needs_chromium, page
from support.gallery import (
    BEGAN,
    config_of,
    job_id,
    picture,
    put_failure,
    put_result,
)
from support.playground import Playground, wait_for

from nstd.outbox.gallery.build import build
from nstd.outbox.gallery.script import script

__all__ = ["driver", "page"]
pytestmark = [needs_chromium, pytest.mark.xdist_group("browser")]  # one for all

SHOWN = "#list .name"


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """An outbox without results."""
    folder = tmp_path / "root" / "outbox"
    folder.mkdir(parents=True)
    return folder


def show(page: Page, outbox: Path, fragment: str = "") -> None:
    """Bring the gallery into line, and open it."""
    build(config_of(outbox.parent), rebuild=False)
    page.open(outbox, fragment)


def tell_now(outbox: Path, **told: Any) -> None:
    """Write `now.js` as a daemon does."""
    path = outbox / "gallery" / "now.js"
    listed = (outbox / "gallery" / "list.js").read_text()
    revision = json.loads(listed.removeprefix("nstd.list(").removesuffix(");\n"))["revision"]
    running, waiting = told.get("running", []), told.get("waiting", [])
    counts = {"running": len(running), "waiting": len(waiting)}
    state = {"state": "running", "paused": "", "revision": revision, "counts": counts}
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(
        script("nstd.now", state | {"running": [], "waiting": [], "written": 1} | told)
    )
    temporary.rename(path)


def running_job(number: int, **said: Any) -> dict[str, Any]:
    """A job that runs, as `now.js` tells of it."""
    job = {"id": job_id(number), "name": f"run-{number}", "content": "a.jpg", "styles": ["b.jpg"]}
    progress = {"fraction": 0.25, "eta": 90.0, "device": "cuda:0", "preview": ""}
    return job | progress | said


# The list


def test_an_empty_gallery_says_how_to_begin(page: Page, outbox: Path) -> None:
    """And shows no filter for nothing."""
    show(page, outbox)
    page.wait(lambda: "No pictures yet" in page.one("#empty").text)
    assert "nstd submit" in page.one("#empty").text
    assert not page.one("h1").find_elements("css selector", "img")
    assert not any(field.is_displayed() for field in page.all("#filter input"))


def test_the_newest_are_shown_first_with_what_they_were_made_of(page: Page, outbox: Path) -> None:
    """Each as a link with a picture that has been loaded."""
    for number in range(3):
        put_result(outbox, number)
    put_failure(outbox, 5)
    show(page, outbox)
    page.wait(lambda: page.texts(SHOWN) == ["pier-5", "beach-2", "beach-1", "beach-0"])
    loaded = "return [...document.querySelectorAll('#list img')].every(i => i.naturalWidth > 0)"
    page.wait(lambda: page.run(loaded))
    assert len(page.all("#list img")) == 6
    assert page.one("#summary").text == "3 pictures · 1 failed"


def test_failures_show_their_reason_and_hint(page: Page, outbox: Path) -> None:
    """In the list, and with all that is known when opened."""
    put_failure(outbox, 1, detail="Traceback ...")
    show(page, outbox)
    assert "did not come in time" in page.one("#list .why").text
    assert "nstd retry" in page.one("#list .hint").text
    page.one("#list a").click()
    assert "nstd retry" in page.one("#detail .failure .hint").text
    page.one("#detail .failure summary").click()
    assert page.one("#detail .failure pre").text == "Traceback ..."


def test_the_results_of_a_folder_alone(page: Page, outbox: Path) -> None:
    """Also of those below it, of failures and of batches; there is no choice without folders."""
    put_result(outbox, 1)
    show(page, outbox)
    page.wait(lambda: page.texts(SHOWN) == ["beach-1"])
    assert not any(each.is_displayed() for each in page.all("select[name=folder]"))
    member = {"id": job_id(9), "name": "grid", "index": 0, "of": 1, "axes": {}}
    put_result(outbox, 2, "starry/a")
    put_result(outbox, 3, "starry/2024/b")
    put_result(outbox, 4, "starry-not/c")
    put_result(outbox, 5, "starry/grid/d", batch=member)
    put_failure(outbox, 6, "starry/e")
    show(page, outbox)
    page.wait(lambda: len(page.texts(SHOWN)) == 6)
    folders = Select(page.one("select[name=folder]"))
    words = [option.text for option in folders.options]
    assert words == ["All folders", "starry/", "starry-not/", "starry/2024/"]
    folders.select_by_value("starry")
    page.wait(lambda: page.texts(SHOWN) == ["e", "d", "b", "a"])
    show(page, outbox, "#folder=starry%2F2024")
    page.wait(lambda: page.texts(SHOWN) == ["b"])


def test_search_and_filters(page: Page, outbox: Path) -> None:
    """By words, style, status and dates, together; and all of it can be cleared."""
    for number in range(14):
        put_result(outbox, number)
    put_result(outbox, 3000, "summer")  # two days later
    put_failure(outbox, 20)
    show(page, outbox)
    page.wait(lambda: len(page.texts(SHOWN)) == 16)
    search = page.one("input[name=q]")
    search.send_keys("BEACH-1")
    page.wait(lambda: page.texts(SHOWN) == [f"beach-{n}" for n in (13, 12, 11, 10, 1)])
    assert page.one("#summary").text == "5 of 16 shown"
    Select(page.one("select[name=style]")).select_by_value("style-4.jpg")
    page.wait(lambda: page.texts(SHOWN) == ["beach-11"])
    page.one("#clear").click()
    page.wait(lambda: len(page.texts(SHOWN)) == 16)
    Select(page.one("select[name=status]")).select_by_value("failed")
    page.wait(lambda: page.texts(SHOWN) == ["pier-20"])
    page.one("#clear").click()
    day = page.run(
        "const d = new Date(arguments[0]); return new Date(d - d.getTimezoneOffset() *"
        " 60000).toISOString().slice(0, 10)",
        (BEGAN + 60 * 3000) * 1000,
    )
    for field in ("from", "to"):
        page.run(
            "const f = document.forms[0].elements[arguments[0]]; f.value = arguments[1];"
            "f.dispatchEvent(new Event('input', {bubbles: true}))",
            field,
            day,
        )
    page.wait(lambda: page.texts(SHOWN) == ["summer"])
    page.driver.refresh()
    page.wait(lambda: page.texts(SHOWN) == ["summer"])
    page.one("input[name=q]").send_keys("nothing like this")
    page.wait(lambda: "Nothing matches" in page.one("#empty").text)


def test_a_thousand_entries(page: Page, outbox: Path) -> None:
    """A part is drawn at first, more as it is scrolled; search goes through all."""
    for number in range(1000):
        put_result(outbox, number)
    show(page, outbox)
    assert page.one("#summary").text == "1,000 pictures"
    drawn = len(page.all("#list li"))
    assert 0 < drawn < 300
    page.run("scrollTo(0, document.body.scrollHeight)")
    page.wait(lambda: len(page.all("#list li")) > drawn)
    page.one("input[name=q]").send_keys("beach-777")
    page.wait(lambda: page.texts(SHOWN) == ["beach-777"])


def test_nothing_of_a_name_is_taken_for_markup(page: Page, outbox: Path) -> None:
    """In the list, beside the picture, in the recipe, in a batch, in what runs, in the title."""
    evil = "<img src=x onerror=window.pwned=1>\"'`</script><script>window.pwned=1</script>&amp;"
    axes = {"style": evil, f"options.{evil}": evil}
    batch = {"id": evil, "name": evil, "index": 1, "of": 2, "axes": axes}
    inputs = {"content": {"file": evil}, "styles": [{"file": evil, "weight": evil}]}
    put_result(
        outbox,
        1,
        "quote\"'<b>&amp;",
        name=evil,
        inputs=inputs,
        batch=batch,
        device=evil,
        device_name=evil,
        network={"name": evil},
        versions={"nstd": evil},
        stopped=evil,
    )
    put_failure(
        outbox,
        2,
        "<b>",
        name=evil,
        message=evil,
        hint=evil,
        code=evil,
        detail=evil,
        batch=batch | {"index": 2, "axes": {"style": 2, f"options.{evil}": 2}},
    )
    build(config_of(outbox.parent), rebuild=False)
    job = running_job(3, name=evil, styles=[evil], device=evil, batch=batch)
    tell_now(outbox, running=[job], waiting=[running_job(4, name=evil)], paused=evil)
    page.open(outbox)
    page.wait(lambda: page.texts("#list .name") == [evil, evil])
    assert page.texts("#running .name") == [evil]
    loaded = "return [...document.querySelectorAll('#list img')].every(i => i.naturalWidth > 0)"
    page.wait(lambda: page.run(loaded))
    for number in (1, 2):
        page.open(outbox, f"#job={job_id(number)}")
        assert page.one("#detail-title").text == evil
    page.open(outbox, f"#job={job_id(1)}")
    page.wait(lambda: evil in page.texts("#detail figcaption")[0])
    page.run("location.hash = batchAddress(data.entries[0].batch.id)")
    page.wait(lambda: evil in page.one("#batch-title").text)
    assert len(page.all("#batch .cell")) >= 2
    assert page.run("return window.pwned") is None
    assert not page.all("body b img, body [onerror], #list b")


def test_a_title_is_no_markup_either(page: Page, outbox: Path) -> None:
    """It comes from the config, or from the name of a folder."""
    title = "<script>window.pwned=1</script> & \"Co\" 'x'"
    config = config_of(outbox.parent)
    gallery = config.gallery.model_copy(update={"title": title})
    changed = config.model_copy(update={"gallery": gallery})
    build(changed, rebuild=False)
    page.open(outbox)
    assert page.one("h1").text == title
    assert page.driver.title == title
    assert page.run("return window.pwned") is None


# One result


def test_the_slider_divides_before_and_after(page: Page, outbox: Path) -> None:
    """By pointer and by keys; both pictures are there."""
    put_result(outbox, 1)
    show(page, outbox, f"#job={job_id(1)}")
    box = page.one("#detail .compare")
    (slider,) = page.all("#detail .divide")
    page.wait(
        lambda: page.run(
            "return [...arguments[0].querySelectorAll('img')].every(i => i.naturalWidth > 0)", box
        )
    )
    edge = "return getComputedStyle(arguments[0].querySelector('.before')).clipPath"
    assert "50%" in page.run(edge, box)
    page.run("arguments[0].focus()", slider)
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert slider.get_attribute("value") == "52"
    assert "48%" in page.run(edge, box)
    assert slider.get_attribute("aria-valuetext") == "52 % content, 48 % result"
    width = slider.size["width"]
    ActionChains(page.driver).move_to_element(slider).click_and_hold().move_by_offset(
        width // 4, 0
    ).release().perform()
    assert 68 <= int(slider.get_attribute("value") or 0) <= 82


def test_the_recipe_can_be_copied(page: Page, outbox: Path) -> None:
    """As it stands; what is pasted is the sidecar."""
    put_result(outbox, 1, 'say "hi": <b>')
    show(page, outbox, f"#job={job_id(1)}")
    recipe = page.texts("#detail .recipe")[0] if page.one("#detail .recipe") else ""
    assert "seed: 7" in recipe
    assert "content: beach.jpg" in recipe
    page.one("#detail .copy").click()
    page.wait(lambda: page.one("#detail .copy").text == "Copied")
    page.run("document.body.append(Object.assign(document.createElement('textarea'), {id: 'p'}))")
    page.one("#p").click()
    ActionChains(page.driver).key_down(Keys.CONTROL).send_keys("v").key_up(Keys.CONTROL).perform()
    assert page.run("return document.getElementById('p').value") == recipe
    page.wait(lambda: page.one("#detail .copy").text == "Copy as sidecar")


def test_losses_are_drawn_and_told(page: Page, outbox: Path) -> None:
    """As lines with a legend, and in words for those who do not see them."""
    put_result(outbox, 1)
    show(page, outbox, f"#job={job_id(1)}")
    curve = page.one("#detail svg.curve")
    assert "total from 1 to 0.025" in (curve.get_attribute("aria-label") or "")
    (points,) = [each.get_attribute("points") or "" for each in page.all("svg.curve polyline")]
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert len(heights) == 40
    assert heights == sorted(heights)
    assert "level 2" in page.texts("svg.curve .label")
    assert page.texts(".legend li") == ["total 0.025"]
    page.resize(PHONE)
    page.open(outbox, f"#job={job_id(1)}")
    drawn = page.one("#detail svg.curve")
    letters = page.run("return arguments[0].querySelector('.label').getScreenCTM().a", drawn)
    assert letters > 0.9  # they do not shrink with the picture
    page.resize(WIDE)


def test_notes_of_a_result_are_shown(page: Page, outbox: Path) -> None:
    """What was odd about its pictures, or a budget that was short; nothing where nothing was."""
    put_result(outbox, 1, notes=["the budget of 5s ended the work after 2 of the 190 steps", "<b>"])
    put_result(outbox, 2)
    show(page, outbox, f"#job={job_id(1)}")
    assert page.texts("#detail li:not(.files li)")[:2] == [
        "the budget of 5s ended the work after 2 of the 190 steps",
        "<b>",
    ]
    page.open(outbox, f"#job={job_id(2)}")
    assert "Notes" not in page.texts("#detail h3")


def test_facts_and_files_are_named(page: Page, outbox: Path) -> None:
    """Time, device, seed; and links to the picture, the record, the sidecar and the log."""
    put_result(outbox, 1)
    put_failure(outbox, 2, sidecar="sub/pier 2.yaml")
    show(page, outbox, f"#job={job_id(1)}")
    facts = page.one("#detail dl").text
    for word in ("1 min 1 s", "waited 3.0 s", "cpu", "48 × 32", "fixed", job_id(1)):
        assert word in facts
    links = [link.get_attribute("href") or "" for link in page.all("#detail .files a")]
    names = ["beach-1.png", "beach-1.json", "beach-1.yaml", "beach-1.log"]
    assert [link.rpartition("/")[2] for link in links] == names
    page.open(outbox, f"#job={job_id(2)}")
    assert page.one("#detail dl").text.startswith("Failed")
    links = [link.get_attribute("href") or "" for link in page.all("#detail .files a")]
    assert [link.rpartition("/")[2] for link in links] == [
        "reason.json",
        "pier%202.yaml",
        "pier-2.log",
    ]


def test_a_failure_shows_the_pictures_that_it_kept(page: Page, outbox: Path) -> None:
    """Where there are no small ones, as its worker never came so far."""
    inputs = {
        "content": {"file": "pier.jpg", "copy": "content.webp"},
        "styles": [{"file": "scream.jpg", "copy": "style-1.webp"}],
    }
    folder = put_failure(outbox, 1, inputs=inputs)
    (folder / "inputs").mkdir()
    for name in ("content", "style-1"):
        (folder / "inputs" / f"{name}.webp").write_bytes(picture("tan"))
    show(page, outbox, f"#job={job_id(1)}")
    sources = [img.get_attribute("src") or "" for img in page.all("#detail .ingredients img")]
    assert [source.rpartition("pier-1/")[2] for source in sources] == [
        "inputs/content.webp",
        "inputs/style-1.webp",
    ]


def test_a_mix_is_shown_with_its_regions_masks_and_start(page: Page, outbox: Path) -> None:
    """Each with its name and what it is for."""
    inputs = {
        "init": {"file": "start.jpg"},
        "styles": [
            {"file": "a.jpg", "weight": 0.7, "region": {"file": "sky.png"}},
            {"file": "b.jpg", "weight": 0.3, "mask": {"file": "bird.png"}},
        ],
    }
    folder = put_result(outbox, 1, inputs=inputs)
    for view in ("style-2", "region-1", "mask-2", "init"):
        (folder / "preview" / f"{view}.webp").write_bytes(picture("tan"))
    show(page, outbox, f"#job={job_id(1)}")
    assert page.texts("#detail .ingredients figcaption b") == [
        *("Content", "Start", "Style 1", "Region 1", "Style 2", "Mask 2"),
    ]
    sources = [img.get_attribute("src") or "" for img in page.all("#detail .ingredients img")]
    views = [source.rpartition("/")[2] for source in sources]
    assert views == [
        f"{view}.webp" for view in ("content", "init", "style-1", "region-1", "style-2", "mask-2")
    ]


def test_files_that_are_not_taken_in_are_named(page: Page, outbox: Path) -> None:
    """With the time since when; gone when they are."""
    put_result(outbox, 1)
    show(page, outbox)
    tell_now(outbox, notes=[{"text": "<b>.yaml waits for 'x.png'", "since": 1.7e12}], written=2)
    page.open(outbox)
    page.wait(lambda: page.texts("#notes li"))
    (line,) = page.texts("#notes li")
    assert line.startswith("<b>.yaml waits for 'x.png' (since ")


@pytest.mark.parametrize(
    ("starts", "words"),
    [
        ({"cause": "person", "until": None, "reason": "<b>disk"}, "started (paused: <b>disk)."),
        ({"cause": "schedule", "until": 1.7e12, "reason": ""}, "2023"),
    ],
)
def test_the_page_says_that_no_job_is_started_and_which_are_held(
    page: Page, outbox: Path, starts: dict[str, Any], words: str
) -> None:
    """Until when and why, as text and not as markup."""
    put_result(outbox, 1)
    show(page, outbox)
    waiting = [running_job(2), running_job(3, held=True)]
    tell_now(outbox, starts=starts, waiting=waiting, written=2)
    page.open(outbox)
    page.wait(lambda: "No job is started" in page.one("#stale").text)
    assert words in page.one("#stale").text
    page.run("document.querySelector('#waiting').open = true")
    assert page.texts("#waiting-list li") == ["run-2 b", "run-3 b, held"]


def test_a_result_without_small_pictures_is_shown_by_itself(page: Page, outbox: Path) -> None:
    """As those are that were made before there was a gallery; one whose detail is lost, too."""
    folder = put_result(outbox, 1)
    shutil.rmtree(folder / "preview")
    Image.new("RGB", (48, 32), "red").save(folder / "beach-1.png")
    put_result(outbox, 2, output={"file": "beach-2.tiff"})
    shutil.rmtree(outbox / "beach-2" / "preview")
    show(page, outbox, f"#job={job_id(1)}")
    shown = page.one("#detail img.alone").get_attribute("src") or ""
    assert shown.endswith("beach-1/beach-1.png")
    page.open(outbox, f"#job={job_id(2)}")
    assert "does not show this format" in page.one("#detail .notice").text


# Getting about


def test_keys_move_between_entries_and_back(page: Page, outbox: Path) -> None:
    """Arrows in the list, Enter, arrows between results, Escape to the card one came from."""
    for number in range(12):
        put_result(outbox, number)
    show(page, outbox)
    focused = "return document.activeElement.closest('.card')?.querySelector('.name').textContent"
    page.run("document.querySelector('#list a').focus()")
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.run(focused) == "beach-9"
    page.press(Keys.ARROW_DOWN)
    below = page.run(focused)
    assert below not in {"beach-9", "beach-8", "beach-10", None}
    page.press(Keys.ARROW_UP)
    assert page.run(focused) == "beach-9"
    page.press(Keys.HOME)
    assert page.run(focused) == "beach-11"
    page.press(Keys.ARROW_RIGHT, Keys.ENTER)
    page.wait(lambda: page.texts("#detail-title") == ["beach-10"])
    assert page.run("return document.activeElement.id") == "detail-title"
    page.press(Keys.ARROW_RIGHT)
    page.wait(lambda: page.texts("#detail-title") == ["beach-9"])
    page.press(
        Keys.ARROW_LEFT,
    )
    page.wait(lambda: page.texts("#detail-title") == ["beach-10"])
    page.press(Keys.ESCAPE)
    page.wait(lambda: page.run(focused) == "beach-10")
    assert page.one("#list").is_displayed()
    page.driver.back()
    page.wait(lambda: page.texts("#detail-title") == ["beach-10"])


def test_a_link_to_what_is_gone_says_so(page: Page, outbox: Path) -> None:
    """For a job and for a batch."""
    put_result(outbox, 1)
    show(page, outbox, f"#job={job_id(9)}")
    page.wait(lambda: "no such result" in page.one("#detail").text)
    page.open(outbox, "#batch=none")
    page.wait(lambda: "no such batch" in page.one("#batch").text)


def test_everything_has_a_name_for_those_who_listen(page: Page, outbox: Path) -> None:
    """Pictures an alt text, fields and buttons a label, headings an order."""
    put_result(outbox, 1)
    put_failure(outbox, 2)
    build(config_of(outbox.parent), rebuild=False)
    tell_now(outbox, running=[running_job(3)])
    nameless = """return [...document.querySelectorAll(
        'img, input, select, button, progress, a, svg')
        ].filter(e => e.checkVisibility())
        .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length
            || (e.tagName === 'IMG' && e.hasAttribute('alt')) || e.closest('[aria-hidden]')
            || e.querySelector('img[alt]')))
        .map(e => e.outerHTML)"""
    for fragment in ("", f"#job={job_id(1)}", f"#job={job_id(2)}"):
        page.open(outbox, fragment)
        page.wait(lambda: page.all("#list a, #detail header"))
        assert page.run(nameless) == []
        assert len(page.all("h1")) == 1
    assert page.run("return document.documentElement.lang") == "en"


def test_light_dark_and_a_phone(page: Page, outbox: Path) -> None:
    """Text stands out in both; nothing is wider than the window, and the filter folds away."""
    for number in range(8):
        put_result(outbox, number, "a-rather-long-name-" * 5 + str(number))
    put_failure(outbox, 9, "long", message="/a/very/long/path" * 20)
    build(config_of(outbox.parent), rebuild=False)
    shades = """const of = (e, what) => getComputedStyle(e)[what].match(/[\\d.]+/g).map(Number);
        const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 :
            ((v + .055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
        const paper = light(of(document.body, 'backgroundColor'));
        return [...document.querySelectorAll('h1, .small, .name, #summary, label span')]
            .filter(e => !e.closest('.why'))
            .map(e => light(of(e, 'color')))
            .map(ink => (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05))"""
    for size in (WIDE, PHONE):
        for scheme in ("light", "dark"):
            page.resize(size, scheme)
            for fragment in ("", f"#job={job_id(1)}", f"#job={job_id(9)}"):
                page.open(outbox, fragment)
                page.wait(lambda: page.all("#list a, #detail header"))
                assert min(page.run(shades)) >= 4.5
                assert page.run("return document.documentElement.scrollWidth <= innerWidth")
            dark = page.run("return getComputedStyle(document.body).backgroundColor < 'rgb(1'")
            assert page.run("return matchMedia('(prefers-color-scheme: dark)').matches") == (
                scheme == "dark"
            ), dark
        page.open(outbox)
        assert page.run("return document.getElementById('narrow').open") == (size == WIDE)


# What changes while somebody looks


def test_what_runs_is_shown_without_flicker(page: Page, outbox: Path) -> None:
    """The element stays, and so does the old preview until the new one can be drawn."""
    build(config_of(outbox.parent), rebuild=False)
    previews = outbox / "gallery" / "now"
    (previews / "a.webp").write_bytes(picture("red"))
    tell_now(outbox, running=[running_job(1, preview="a.webp?v=1")], written=1)
    page.open(outbox)
    page.wait(lambda: page.run("return document.querySelector('#running img')?.naturalWidth"))
    assert page.one("#running .small + progress + .small").text == "25 % · 1 min 30 s left · cuda:0"
    page.run("""window.node = document.querySelector('#running li'); window.gaps = 0;
        new MutationObserver(() => {
            const shown = document.querySelectorAll('#running img');
            if (shown.length !== 1 || !shown[0].complete || !shown[0].naturalWidth) window.gaps++;
        }).observe(node, {childList: true, subtree: true, attributes: true});""")
    (previews / "a.webp").write_bytes(picture("blue", (60, 40)))
    job = running_job(1, preview="a.webp?v=2", fraction=0.5)
    tell_now(outbox, running=[job], waiting=[running_job(2)], written=2)
    page.wait(lambda: page.run("return document.querySelector('#running img').naturalWidth") == 60)
    page.wait(lambda: page.run("return document.querySelector('#running progress').value") == 50)
    assert page.run("return node === document.querySelector('#running li') && gaps") == 0
    assert page.one("#waiting summary").text == "1 job waits"
    tell_now(outbox, written=3)
    page.wait(lambda: not page.one("#overview").find_elements("css selector", "#running li"))


def test_results_appear_while_the_daemon_works(page: Page, playground: Playground) -> None:
    """With no reload, and the cards that are there stay."""
    playground.configure(gallery={"every": "100ms", "title": "Studio"})
    put_result(playground.outbox, 1)
    playground.start()
    wait_for((playground.outbox / "gallery" / "pages" / "1.js").exists)
    page.open(playground.outbox)
    page.wait(lambda: page.texts(SHOWN) == ["beach-1"])
    page.run("window.first = document.querySelector('#list li')")
    playground.pair("pier", options={"steps": 30, "pause": 0.1})
    page.wait(lambda: page.texts("#running .name") == ["pier"])
    page.wait(lambda: page.texts(SHOWN) == ["pier", "beach-1"])
    page.wait(lambda: page.texts("#running .name") == [])
    assert page.run("return first === document.querySelectorAll('#list li')[1]")


def test_a_daemon_that_fell_silent_is_told_of(page: Page, outbox: Path) -> None:
    """Where something was said to run."""
    build(config_of(outbox.parent), rebuild=False)
    tell_now(outbox, running=[running_job(1)])
    page.open(outbox)
    page.wait(lambda: page.texts("#running .name") == ["run-1"])
    page.run("running.heard -= 60000; showNow()")
    assert "may have ended" in page.one("#stale").text


# Batches


def member(number: int, **axes: Any) -> dict[str, Any]:
    """What the record of the first, second ... member of a batch of six says."""
    return {"batch": {"id": "b1", "name": "A grid", "index": number - 1, "of": 6, "axes": axes}}


def test_a_batch_is_a_grid_over_what_differs(page: Page, outbox: Path) -> None:
    """With the progress of the whole, and members that have not ended in their places."""
    styles, weights = ("starry.jpg", "scream.jpg"), (0.5, 1, 2)
    axes = [
        {"content": "beach.jpg", "style": style, "options.style_weight": weight}
        for style in styles
        for weight in weights
    ]
    for index in (1, 2, 3):
        put_result(outbox, index, **member(index, **axes[index - 1]))
    put_failure(outbox, 4, **member(4, **axes[3]))
    put_result(outbox, 50)
    build(config_of(outbox.parent), rebuild=False)
    tell_now(
        outbox,
        running=[running_job(5) | member(5, **axes[4])],
        waiting=[running_job(6) | member(6, **axes[5])],
    )
    page.open(outbox)
    page.wait(lambda: page.texts("#batch-list a") == ["A grid 4 of 6"])
    assert "A grid, 3 of 6" in page.one("#list li:nth-child(3)").text
    page.one("#batch-list a").click()
    page.wait(lambda: page.texts("#batch thead th") == [f"style weight {w}" for w in weights])
    assert page.texts("#batch tbody th") == ["starry", "scream"]
    assert "4 of 6 · 3 finished, 1 failed, 1 running, 1 waiting" in page.one("#batch header").text
    links = [link.get_attribute("href") or "" for link in page.all("#batch td a")]
    assert [link.rpartition("=")[2] for link in links] == [job_id(n) for n in (1, 2, 3, 4)]
    assert page.texts("#batch td .state") == ["picture missing", "running", "waiting"]
    page.all("#batch td a")[1].click()
    page.wait(lambda: page.texts("#detail-title") == ["beach-2"])
    assert "A grid: 2 of 6" in page.one("#detail header").text


def test_a_batch_with_one_axis_and_one_with_three(page: Page, outbox: Path) -> None:
    """A row of pictures; a table for each value of the third."""
    for index in range(1, 4):
        put_result(outbox, index, **member(index, content=f"c{index}.jpg", style="s.jpg"))
    number = 10
    for third in (1, 2):
        for content in ("a.jpg", "b.jpg"):
            for style in ("x.jpg", "y.jpg"):
                said = {"content": content, "style": style, "options.seed": third}
                batch = {"id": "b3", "name": "Three", "index": number - 10, "of": 8, "axes": said}
                put_result(outbox, number, batch=batch)
                number += 1
    show(page, outbox, "#batch=b1")
    page.wait(
        lambda: page.texts("#batch .cells .small") == ["content c1", "content c2", "content c3"]
    )
    page.open(outbox, "#batch=b3")
    page.wait(lambda: page.texts("#batch caption") == ["seed 1", "seed 2"])
    assert len(page.all("#batch td a")) == 8
    assert not page.all("#batch header a")


def test_a_batch_that_is_over_leads_to_its_contact_sheet(page: Page, outbox: Path) -> None:
    """Which lies beside the folders of its members, those that have failed aside."""
    axes = {"content": "beach.jpg", "style": "starry.jpg"}
    batch = {"id": "b5", "name": "My studies", "of": 2}
    put_failure(outbox, 1, "my studies/a", batch=batch | {"index": 0, "axes": axes})
    show(page, outbox, "#batch=b5")
    page.one("#batch .cells")
    assert not page.all("#batch header a")
    put_result(outbox, 2, "my studies/b", batch=batch | {"index": 1, "axes": axes | {"style": "b"}})
    show(page, outbox, "#batch=b5")
    address = page.one("#batch header a").get_attribute("href") or ""
    assert address.endswith("/outbox/my%20studies/sheet.png")


def test_a_batch_on_a_phone(page: Page, outbox: Path) -> None:
    """The name of a row stands above it on one line, and the pictures are the wider for it."""
    styles, contents = ("starry.jpg", "scream.jpg", "waves.jpg"), ("lighthouse.jpg", "pier.jpg")
    batch = {"id": "b6", "name": "Studies", "of": 6}
    pairs = [(content, style) for content in contents for style in styles]
    for index, (content, style) in enumerate(pairs[:5]):
        axes = {"content": content, "style": style}
        put_result(outbox, index, batch=batch | {"index": index, "axes": axes})
    page.resize(PHONE)
    show(page, outbox, "#batch=b6")
    head, *_ = page.all("#batch tbody th")
    assert head.size["height"] < 30
    cells = page.all("#batch td .cell")
    assert all(cell.size["width"] > 100 for cell in cells)
    assert cells[0].location["y"] >= head.location["y"] + head.size["height"]
    assert len({cell.size["height"] for cell in cells}) == 1  # also of the one that is not there
    assert page.run("return document.documentElement.scrollWidth") <= PHONE[0]
    roles = page.run(
        "return [...document.querySelectorAll('#batch table, tr, th')].map(e => e.role)"
    )
    assert set(roles) == {"table", "row", "columnheader", "rowheader"}
    page.resize(WIDE)


# Where it lies


def test_behind_a_web_server(page: Page, outbox: Path) -> None:
    """The same, with nothing asked of any other place."""
    put_result(outbox, 1)
    build(config_of(outbox.parent), rebuild=False)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(outbox))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.visit(f"http://127.0.0.1:{server.server_port}/index.html")
        page.wait(lambda: page.texts(SHOWN) == ["beach-1"])
        page.one("#list a").click()
        page.one("#detail .compare")
        page.driver.get("about:blank")
        server.shutdown()


def test_scripts_of_others_are_not_run(page: Page, outbox: Path) -> None:
    """Even if one got into the page: its policy names the scripts that may."""
    put_result(outbox, 1)
    show(page, outbox)
    refused = """const done = arguments[0];
        addEventListener('securitypolicyviolation', e => done(e.violatedDirective));
        const script = document.createElement('script');
        script.textContent = 'window.pwned = 1';
        document.body.append(script);"""
    assert page.driver.execute_async_script(refused) == "script-src-elem"
    asked = """const done = arguments[0];
        addEventListener('securitypolicyviolation', e => done(e.violatedDirective));
        fetch('http://127.0.0.1:9/').catch(() => {});"""
    assert page.driver.execute_async_script(asked) == "connect-src"
    assert page.run("return window.pwned") is None
    page.log("browser")  # the refusals are in it
