"""The pages, in a real browser: what a refused developer and an admin see and press."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.e2e.conftest import NewMachine
from tests.e2e.house import PATIENCE, House
from tests.e2e.outside import Outside
from tests.upstream import make_wheel

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
REQUIRED = "TOOLS_REQUIRED"
"""Where this is set, as in CI, a machine without what a test needs fails instead of skipping."""

QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""Chromium asks nobody but the page's own host."""

pytestmark = pytest.mark.skipif(
    (CHROMIUM is None or DRIVER is None) and REQUIRED not in os.environ,
    reason=f"NO BROWSER: install Debian's chromium and chromium-driver (or set {REQUIRED} to fail here)",
)


class Browser:
    """One window, and what a person does in it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self._driver = driver

    def go(self, url: str) -> None:
        """Open an address."""
        self._driver.get(url)

    @property
    def url(self) -> str:
        """Where the window is."""
        return self._driver.current_url

    @property
    def text(self) -> str:
        """What can be read."""
        return self.find("body").text

    def find(self, selector: str) -> WebElement:
        """The first element of a CSS selector."""
        return self._driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, label: str) -> None:
        """The button that is labelled like this."""
        self._driver.find_element(By.XPATH, f"//button[normalize-space()='{label}']").click()

    def sees(self, text: str) -> bool:
        """Whether this can be read, now or when what was pressed has done its work."""
        ignored = (StaleElementReferenceException, NoSuchElementException)
        try:
            WebDriverWait(self._driver, PATIENCE, ignored_exceptions=ignored).until(
                lambda _: text in self.text
            )
        except TimeoutException:
            return False
        return True

    def fill(self, name: str, text: str) -> None:
        """A field of a form."""
        field = self.find(f"[name={name}]")
        field.clear()
        field.send_keys(text)

    def run(self, script: str) -> Any:
        """What a script, injected by the test, returns."""
        return self._driver.execute_script(script)

    def narrow(self, width: int) -> None:
        """Be a phone of so many pixels."""
        self._driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True},
        )

    def complaints(self) -> list[str]:
        """What the browser's console has to say since it was last asked."""
        return [str(entry["message"]) for entry in self._driver.get_log("browser")]  # type: ignore[no-untyped-call]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    assert CHROMIUM, "Debian's chromium isn't installed"
    assert DRIVER, "Debian's chromium-driver isn't installed"
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*QUIET, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


def test_a_refused_developer_asks_and_an_admin_lets_it_pass(
    browser: Browser, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    outside.publish(make_wheel("reqeusts", "1.0"))
    developer = new_machine()
    refused = developer.install("pip", "reqeusts").refused()
    why = re.search(rf"{re.escape(house.url)}/why/[0-9a-f]{{32}}", refused.text)
    assert why

    browser.go(why[0])
    assert "'reqeusts' looks like 'requests' with two letters swapped" in browser.text
    assert "Did you mean requests?" in browser.text
    browser.fill("message", "it is our <b>own</b> fork & mirror")
    browser.fill("name", "Ada")
    browser.press("Ask an administrator")
    assert browser.sees("An administrator was asked")
    assert browser.url == why[0]

    browser.go(f"{house.url}/requests")
    assert "reqeusts" not in browser.text  # who isn't an admin sees nobody's requests
    password = (house.data / "keys" / "admin-password").read_text("utf-8").strip()
    browser.go(f"{house.url.replace('://', f'://admin:{password}@')}/requests")
    assert "it is our <b>own</b> fork & mirror" in browser.text
    assert "Ada" in browser.text
    browser.fill("reason", "looked at it")
    browser.fill("days", "7")
    browser.press("Grant")
    assert browser.sees("Nobody waits for an answer")
    assert "looked at it" in browser.find("table").text

    browser.go(why[0])
    assert "It passes now" in browser.text
    assert "looked at it" in browser.text  # an exemption says that it will end, and why it is there
    developer.install("pip", "reqeusts").checked()
    assert developer.installed("pip", "reqeusts") == "1.0"


def test_a_declined_request_says_so_and_can_be_made_again(
    browser: Browser, house: House, new_machine: NewMachine
) -> None:
    refused = new_machine().install("npm", "loadsh").refused()
    why = re.search(rf"{re.escape(house.url)}/why/[0-9a-f]{{32}}", refused.text)
    assert why
    browser.go(why[0])
    browser.fill("message", "a slip")
    browser.press("Ask an administrator")
    assert browser.sees("An administrator was asked")
    number = next(each["id"] for each in house.answer("policy", "requests") if "loadsh" in str(each))
    house.registry("policy", "decline", str(number), "--reason", "use lodash").checked()
    browser.go(why[0])
    assert "use lodash" in browser.text
    assert browser.find("button").text == "Ask an administrator"


def test_the_start_page_shows_this_address_and_fits_a_phone(browser: Browser, house: House) -> None:
    browser.narrow(360)
    browser.go(f"{house.url}/")
    assert f"pip install --index-url {house.url}/pypi/simple/" in browser.text
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")
    assert browser.run("return document.styleSheets[0].cssRules.length > 0")


@pytest.mark.parametrize("path", ["/", "/why/00000000000000000000000000000000", "/requests"])
def test_no_page_asks_another_host_or_trips_its_own_security_policy(
    path: str, browser: Browser, house: House
) -> None:
    browser.go(f"{house.url}{path}")
    asked = browser.run("return performance.getEntriesByType('resource').map(each => each.name)")
    assert all(url.startswith(house.url) for url in asked), asked
    assert [said for said in browser.complaints() if "Security" in said or "Refused" in said] == []
