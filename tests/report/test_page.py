"""The report is one file that needs no other, and nothing that a run says can become HTML."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hwnas.report import page as pages
from hwnas.report.devices import across
from hwnas.report.figures import write_figures
from hwnas.report.load import load_run
from hwnas.report.page import embedded, page
from hwnas.report.photos import strip
from profilers.errors import InputError
from tests.runs.made import finished_run, trained
from tests.runs.test_verdict import baseline

HOSTILE = '</script><script>alert("x")</script><!--<script>&{{script}}'


@pytest.fixture(autouse=True)
def without_the_charting_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundling it takes seconds; test_browser.py has the whole page."""
    monkeypatch.setattr(pages, "_bundle", lambda: "/* charts */")


class Tags(HTMLParser):
    """Start tags, and the text of the JSON block."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][1].get("id") == "data":
            self.data += data


def read(text: str) -> tuple[Tags, dict[str, Any]]:
    tags = Tags()
    tags.feed(text)
    return tags, json.loads(tags.data)


def test_the_page_asks_for_nothing_from_elsewhere(searched: Path) -> None:
    tags, _ = read(page([load_run(searched)], [], "1", "now"))
    sources = [attributes.get(name) for _, attributes in tags.tags for name in ("src", "href")]
    assert [source for source in sources if source and not source.startswith("data:")] == []
    assert "connect-src 'none'" in page([load_run(searched)], [], "1", "now")


def test_nothing_that_a_run_says_becomes_html(run: Path) -> None:
    summary = json.loads((run / "front.json").read_text())
    summary["data"] = summary["target"] = HOSTILE
    summary["health"] = [{"stage": 0, "kind": "k", "text": HOSTILE, "advice": HOSTILE}]
    (run / "front.json").write_text(json.dumps(summary))
    environment = json.loads((run / "environment.json").read_text())
    environment |= {"command": ["hwnas", HOSTILE], "processor": HOSTILE}
    (run / "environment.json").write_text(json.dumps(environment))
    seen = load_run(run.rename(run.with_name("<img src=x onerror=alert(1)>")))
    tags, data = read(page([seen], [], "1", "now"))
    assert sum(tag == "script" for tag, _ in tags.tags) == 3
    assert "img" not in [tag for tag, _ in tags.tags]
    assert HOSTILE in data["runs"][0]["sentence"] and HOSTILE in data["runs"][0]["notes"][0]
    assert data["runs"][0]["name"] == "<img src=x onerror=alert(1)>"


def test_a_hostile_operation_is_refused_before_it_is_drawn(run: Path) -> None:
    summary = json.loads((run / "front.json").read_text())
    summary["front"][0]["genotype"]["normal"][0][0][0] = HOSTILE
    (run / "front.json").write_text(json.dumps(summary))
    with pytest.raises(InputError, match="unknown operation"):
        load_run(run)


def test_json_in_a_script_is_read_back_and_can_not_end_it() -> None:
    text = embedded({"a": HOSTILE})
    assert "</" not in text and "<!" not in text
    assert json.loads(text) == {"a": HOSTILE}


def test_every_network_has_its_cells_numbers_and_commands(searched: Path) -> None:
    _, data = read(page([load_run(searched)], [], "1", "now"))
    (run,) = data["runs"]
    assert {row["name"] for row in run["scored"][0]["rows"]} == set(run["networks"])
    for network in run["networks"].values():
        assert [cell["title"] for cell in network["cells"]] == ["normal cell", "reduce cell"]
        assert all(row["origin"] for row in network["metrics"])
        assert len(network["commands"]) == 3
    policies = run["policies"]
    assert policies["names"] == [
        "penalty exponent 0",
        "penalty exponent -0.2",
        "penalty exponent -0.8",
    ]
    # 3 policies, 4 epochs, 28 edges of 8 operations.
    assert policies["shape"] == [3, 4, 28, 8]


def test_several_runs_stand_side_by_side(searched: Path, run: Path) -> None:
    _, data = read(page([load_run(searched), load_run(run)], [], "1", "now"))
    assert data["sections"][0]["title"] == "The runs side by side"
    assert [chart["title"] for chart in data["sections"][0]["charts"]] == ["params", "macs"]
    # Both are called "run": their paths tell them apart.
    spec = json.dumps(data["sections"][0]["charts"][0]["spec"])
    assert str(searched) in spec and str(run) in spec


def test_a_front_is_shown_across_devices(searched: Path) -> None:
    section = across(load_run(searched), ["1080ti", "raspberry-pi-4"])
    rows = [
        row for layer in section["charts"][0]["spec"]["layer"] for row in layer["data"]["values"]
    ]
    assert {row["series"] for row in rows} == {"1080ti", "raspberry-pi-4"}
    assert "roofline" in section["note"]
    with pytest.raises(InputError, match="did you mean"):
        across(load_run(searched), ["1080tj"])


def test_figures_are_written_as_svg_and_png(searched: Path, tmp_path: Path) -> None:
    seen = load_run(searched)
    names = write_figures(seen, tmp_path / "figures")
    keys = seen.fronts[0].front
    # Two costs; two cells of every network of the front; each as SVG and PNG.
    assert len(names) == 2 * (2 + 2 * len(keys))
    for name in names:
        begin = (tmp_path / "figures" / name).read_bytes()[:8]
        assert begin.startswith(b"<svg") if name.endswith(".svg") else begin == b"\x89PNG\r\n\x1a\n"


def test_the_page_says_the_target_and_how_much_of_the_front_is_within(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run").path
    summary = json.loads((run / "front.json").read_text())
    costs = sorted(member["costs"]["params"]["value"] for member in summary["front"])
    for limit, words in (
        (costs[-1], f"{len(costs)} of {len(costs)} members of the front are within"),
        (costs[0], f"one of {len(costs)} members of the front is within"),
        (costs[0] - 1, "no member of the front is within, the nearest is marked"),
    ):
        (run / "front.json").write_text(json.dumps(summary | {"targets": {"params": limit}}))
        _, data = read(page([load_run(run)], [], "1", "now"))
        (scored,) = data["runs"][0]["scored"]
        assert scored["target"] == f"Target: params at most {limit:,} parameters; {words}."
        assert {row["within"] for row in scored["rows"] if row["costs"][0] <= limit} <= {True}
    (run / "front.json").write_text(json.dumps(summary))
    _, data = read(page([load_run(run)], [], "1", "now"))
    assert data["runs"][0]["scored"][0]["target"] == ""
    assert "--untrained" not in json.dumps(data)


def test_a_report_on_a_chain_says_sizes_and_speaks_of_no_cell(chain_run: Path) -> None:
    html = page([load_run(chain_run)], [], "1", "now")
    _, data = read(html)
    (run,) = data["runs"]
    genotypes = load_run(chain_run).genotypes
    for table in run["scored"]:
        assert table["size"] == "side, width"
        for row in table["rows"]:
            side, width = genotypes[row["name"]].operations[:2]
            assert row["size"] == f"{side}, {width}"
    # The section is headed "Network" already.
    assert all(cell["title"] == "" for one in run["networks"].values() for cell in one["cells"])
    policies = run["policies"]
    assert policies["edges"][:2] == ["side", "width"]
    assert policies["operations"][:2] == [["side 1", "side 0.5"], ["width 1", "width 0.5"]]
    colours = run["evolution"]["encoding"]["color"]["scale"]
    assert len(set(colours["range"])) == len(colours["domain"])
    assert {name for row in policies["operations"] for name in row} == set(colours["domain"])
    assert run["evolution"]["encoding"]["y"]["axis"]["labelOverlap"] is False
    words = html[: html.index('<script type="application/json"')]
    assert "edge of" not in words and "The cell" not in words and "an edge" not in words


def test_the_first_screen_says_whether_it_paid_what_to_take_and_what_to_type(
    tmp_path: Path,
) -> None:
    run = finished_run(tmp_path / "run").path
    _, data = read(page([load_run(run)], [], "1", "now"))
    answer = data["runs"][0]["answer"]
    assert (
        answer["title"]
        == "Networks for the 10 classes of digits, for cpu: accuracy against parameters"
    )
    assert answer["outcome"] == "unknown" and "--baselines" in answer["verdict"]
    assert answer["take"] in data["runs"][0]["networks"] and "the knee" in answer["why"]
    assert answer["next"] == [
        f"hwnas {words}"
        for words in (f"train {run} --best", f"train {run} --baselines", f"export {run} --best")
    ]
    # This run says how many images there were, not which; digits come with the package.
    assert answer["data"].startswith(
        "1,438 training and 359 test images, read at 8 \u00d7 8 pixels"
    )
    assert answer["photos"] == []


def test_photos_are_those_that_the_run_names_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for name, shade in (("a", 40), ("b", 200)):
        (folder / "val" / name).mkdir(parents=True)
        Image.new("RGB", (90, 60), (shade, 0, 0)).save(folder / "val" / name / "1.png")
    Image.new("RGB", (90, 60)).save(tmp_path / "secret.png")
    run = finished_run(tmp_path / "run").path
    config = (run / "config.toml").read_text()
    (run / "config.toml").write_text(config.replace('source = "digits"', f'source = "{folder}"'))
    named = {"a": ["val/a/1.png"], "b": ["../secret.png", "val/b/1.png"], "c": ["val/c/gone.png"]}
    (run / "test_images.json").write_text(json.dumps({"images": named}))
    found = strip(load_run(run))
    assert [one["label"] for one in found] == ["a", "b"]
    assert all(one["src"].startswith("data:image/jpeg;base64,") for one in found)
    for broken in ("[]", '{"images": 3}', "no JSON", '{"images": {"a": [["x"], 4]}}'):
        (run / "test_images.json").write_text(broken)
        assert strip(load_run(run)) == []


def test_a_trained_network_shows_what_it_takes_for_what(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    classes = list("0123456789")
    counts = [[9 if i == j else 0 for j in range(10)] for i in range(10)]
    counts[3][8] = 1
    trained(run, "models", 0, 90, classes=classes, confusion=counts, class_accuracy=[1.0] * 10)
    baseline(run, 1e6, 95)
    _, data = read(page([load_run(run.path)], [], "1", "now"))
    shown = data["runs"][0]
    key = load_run(run.path).summary.front[0].key
    assert shown["networks"][key]["classes"]["counts"] == counts
    assert sum(one["classes"] is not None for one in shown["networks"].values()) == 1
    by_shared, by_trained = shown["scored"]
    # Both accuracies of a network stand in one row, baselines under them.
    (row,) = by_trained["rows"]
    assert (row["shared"], row["trained"]) == (0.5, 0.9)
    assert [one["name"] for one in by_trained["baselines"]] == ["Plain"]
    assert "Plain" in json.dumps(by_trained["charts"]) and "Plain" not in json.dumps(
        by_shared["charts"]
    )
    assert "baseline" in [one["mark"] for one in by_trained["legend"]]
