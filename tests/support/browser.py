"""Debian's chromium, driven by Selenium, for pages that must stay off the network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from support.playground import wait_for

T = TypeVar("T")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver, of Debian's packages"
)
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
WIDE, PHONE = (1280, 900), (390, 844)


def start(profile: Path) -> webdriver.Chrome:
    """A browser with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(str(DRIVER)))


class Page:
    """An outbox, looked at. `close` fails where the page asked for what it must not."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self.origin = "file:///"
        # the page of the last test still asks for news, from a folder that pytest has removed
        self.driver.get("about:blank")
        self.resize(WIDE)
        self._drain()

    def open(self, outbox: Path, fragment: str = "") -> None:
        """Load the page anew, from the disk."""
        self.visit((outbox / "index.html").as_uri() + fragment)

    def visit(self, address: str) -> None:
        """Load the page anew, from wherever it is, and wait for its data."""
        self.origin = "file:///" if address.startswith("file:") else address.rpartition("/")[0]
        self.driver.get("about:blank")
        self.driver.get(address)
        self.wait(lambda: self.run("return data.isWhole"))

    def resize(self, size: tuple[int, int], scheme: str = "light") -> None:
        """How large the window is, and whether it is light or dark."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script says."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: Callable[[], T]) -> T:
        """The first true value of `condition`."""
        return wait_for(condition, 30, str(self.driver.current_url), pause=0.1)

    def all(self, selector: str) -> list[WebElement]:
        """The elements that a selector matches."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The only one that can be seen, as soon as there is one."""

        def look() -> list[WebElement]:
            return [each for each in self.all(selector) if each.is_displayed()]

        found = self.wait(look)
        assert len(found) == 1, selector
        return found[0]

    def texts(self, selector: str) -> list[str]:
        """What stands in the elements, seen or not."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
        found: list[str] = self.run(script, selector)
        return found

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def close(self) -> None:
        """AssertionError for a request that left the page's own folder, or a complaint."""
        requests, complaints = self._drain()
        away = [url for url in requests if not url.startswith((self.origin, "data:", "about:"))]
        assert not away, away
        assert not complaints, complaints

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What the browser has noted since the last time."""
        entries: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def _drain(self) -> tuple[list[str], list[str]]:
        """Addresses that were asked for, and lines of the console, since the last time."""
        messages = (json.loads(entry["message"])["message"] for entry in self.log("performance"))
        requests = [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return requests, [entry["message"] for entry in self.log("browser")]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser for all tests of a module."""
    driver = start(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def page(driver: webdriver.Chrome) -> Iterator[Page]:
    """A page that must have made no request and no complaint when the test is over."""
    page = Page(driver)
    yield page
    page.close()
