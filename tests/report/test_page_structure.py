"""The page as it is for somebody who reads it by keyboard or screen reader: headings, labels,
contrast, and no place that its scripts do not find."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from hwnas.report import page as pages

HERE = Path(pages.__file__).parent
HTML = (HERE / "page.html").read_text(encoding="utf-8")
CSS = (HERE / "page.css").read_text(encoding="utf-8")
SCRIPTS = {name: (HERE / f"page.{name}.js").read_text(encoding="utf-8") for name in pages.SCRIPTS}
LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3


class Page(HTMLParser):
    """Tags of the page with their attributes, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(HTML)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


TAGS = Page().tags
IDS = [attributes["id"] for _, attributes in TAGS if "id" in attributes]


def test_there_is_one_first_heading_and_no_level_is_left_out() -> None:
    levels = [int(tag[1]) for tag, _ in TAGS if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_section_and_every_box_that_scrolls_has_a_name() -> None:
    assert len(set(IDS)) == len(IDS)
    for tag, attributes in TAGS:
        if tag == "section":
            assert attributes.get("aria-labelledby") in IDS, attributes
        if "scroll" in (attributes.get("class") or ""):
            assert attributes.get("aria-label") and attributes.get("tabindex") == "0", attributes
    names = [attributes["aria-label"] for _, attributes in TAGS if "aria-label" in attributes]
    assert len(set(names)) == len(names)


def test_scripts_look_only_for_places_that_there_are() -> None:
    wanted = {name for text in SCRIPTS.values() for name in re.findall(r'\bat\("([\w-]+)"\)', text)}
    assert wanted and wanted <= set(IDS)
    assert all('scope = "col"' in text for name, text in SCRIPTS.items() if name == "tools")


def test_no_part_of_the_script_is_left_out() -> None:
    assert {path.name for path in HERE.glob("page.*.js")} == {f"page.{n}.js" for n in pages.SCRIPTS}


def light(colour: str) -> float:
    """The relative luminance of "#rrggbb"."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours."""
    high, low = sorted((light(first), light(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def declared(selector: str, what: str) -> str:
    """The colour that the style sheet gives a selector, variables resolved."""
    (body,) = re.findall(rf"^{re.escape(selector)} \{{([^}}]*)\}}", CSS, re.M)
    found = re.search(rf"(?:^|[ ;]){what}: ([^;]+);", body)
    assert found is not None, (selector, what)
    value = found[1].strip()
    name = re.fullmatch(r"var\(--(\w+)\)", value)
    if name is None:
        return value
    variable = re.search(rf"--{name[1]}: (#[0-9a-f]{{6}})", CSS)
    assert variable is not None
    return variable[1]


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("body", "body"),
        (".note", "body"),
        (".badge", ".badge"),
        (".badge.knee", ".badge.knee"),
        (".badge.faint", ".badge.faint"),
        ("#table tbody tr.dominated", "body"),
        (".link", "body"),
        ("body", "#verdict.paid"),
        ("body", "#verdict.did-not-pay"),
        (".link", "#table tbody tr.chosen"),
    ],
)
def test_texts_stand_out_from_what_is_behind_them(text: str, ground: str) -> None:
    behind = declared(ground, "background")
    assert contrast(declared(text, "color"), behind) >= LEAST_CONTRAST
