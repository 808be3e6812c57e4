"""A real browser without a window, which opens pages from disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
DRIVER = shutil.which("chromedriver")
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1400,1000"
).split()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium; the tests are skipped where it, its driver or selenium is not installed."""
    pytest.importorskip("selenium", reason="needs selenium")
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver on PATH")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = CHROMIUM
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def open_page(browser: Any, folder: Path) -> None:
    """Open a report; an error of a script, a refused resource or a page that is not complete fails the test."""
    browser.get((folder / "index.html").resolve().as_uri())
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.dataset.ready") == "yes"
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []


def texts(browser: Any, selector: str) -> list[str]:
    """The text of all elements of a selector."""
    script = "return [...document.querySelectorAll(arguments[0])].map(element => element.textContent)"
    return list(browser.execute_script(script, selector))


def choose(browser: Any, field: str, value: str, event: str = "change") -> None:
    """Set a filter as a user does."""
    script = "const e = document.getElementById(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event(arguments[2]));"
    browser.execute_script(script, field, value, event)
