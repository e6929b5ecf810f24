"""The report in a real browser: no error, no request, a click on a point shows its cells, readable
when narrow.

Needs `pip install playwright axe-playwright-python` and a chromium on the PATH (Debian: apt-get
install chromium).
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from hwnas.report.comparison import comparison
from hwnas.report.load import load_run
from hwnas.report.page import page

pytestmark = pytest.mark.slow
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


@pytest.fixture(scope="module")
def file(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page([load_run(searched)], [], "1", "now"), encoding="utf-8")
    return path


def test_the_file_is_small_and_closes_its_scripts(file: Path) -> None:
    assert file.stat().st_size < 6 * 2**20
    assert file.read_text(encoding="utf-8").count("</script>") == 3


@pytest.mark.parametrize("width", [1280, 400])
def test_the_report_works_offline_in_a_browser(file: Path, width: int) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": width, "height": 900})
        said: list[str] = []
        asked: list[str] = []
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.on("request", lambda request: asked.append(request.url))
        began = time.monotonic()
        shown.goto(file.as_uri())
        shown.wait_for_selector("#front-chart svg")
        seconds = time.monotonic() - began
        shown.locator("#research > summary").click()
        shown.wait_for_selector("#heat svg")
        shown.wait_for_selector("#health-charts svg")
        marks = shown.locator("#front-chart .role-mark path[aria-roledescription='point']")
        before, keys = shown.locator("#key").inner_text(), set()
        for number in range(marks.count()):
            marks.nth(number).dispatch_event("click")
            keys.add(shown.locator("#key").inner_text())
        assert shown.locator("#cells svg").count() == 2
        labels = shown.locator("#front-chart svg text").all_text_contents()
        wide = shown.evaluate("document.documentElement.scrollWidth")
        browser.close()
    assert said == []
    assert asked == [file.as_uri()]
    assert before in keys and len(keys) > 1
    assert any("less is better" in label for label in labels)
    assert any("higher is better" in label for label in labels)
    assert wide == width
    # Issue: under 2 s; a machine that does other things too needs more.
    assert seconds < 10


def test_two_chains_stand_side_by_side_and_what_differs_is_marked(
    chain_run: Path, tmp_path: Path
) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH")
    data = load_run(chain_run)
    path = tmp_path / "report.html"
    path.write_text(page([data], [], "1", "now"), encoding="utf-8")
    found = comparison(data)
    assert found is not None
    first, *others = found["networks"]
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 390, "height": 900})
        shown.goto(path.as_uri())
        shown.wait_for_selector("#block-table td")
        shown.select_option("#block-a", first)
        for other in (first, *others):
            shown.select_option("#block-b", other)
            marked = shown.locator("#block-table tr.differs th").all_text_contents()
            rows = [found["networks"][name]["rows"] for name in (first, other)]
            differ = [
                f"{mine['name']} \u2260"
                for mine, theirs in zip(*rows, strict=True)
                if mine.get("option") != theirs.get("option")
            ]
            assert marked == differ
        assert shown.evaluate("document.documentElement.scrollWidth") == 390
        browser.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_to_mend(file: Path, width: int) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    axe = pytest.importorskip("axe_playwright_python", reason="pip install axe-playwright-python")
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH")
    script = (Path(axe.__path__[0]) / "axe.min.js").read_text(encoding="utf-8")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        # The page lets no script in: here one is let in past its policy.
        context = browser.new_context(viewport={"width": width, "height": 900}, bypass_csp=True)
        shown = context.new_page()
        shown.goto(file.as_uri())
        shown.locator("#research > summary").click()
        shown.wait_for_selector("#health-charts svg")
        shown.evaluate(script)
        found = shown.evaluate("axe.run()")["violations"]
        browser.close()
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
