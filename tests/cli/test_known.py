"""Known networks on the command line: their counts, their own width and depth, and what they
refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwnas.space.text import parse


def test_a_known_network_is_profiled_with_its_published_counts(typed) -> None:
    words = (
        "profile",
        "MOBILENET_V3_SMALL",
        "--classes",
        "1000",
        "--image",
        "224",
        "--backend",
        "counts",
    )
    found = json.loads(typed(*words, "--json")[0])
    assert {metric["name"]: metric["value"] for metric in found["metrics"]} == {
        "params": 2_542_856,
        "macs": 56_510_400,
        "flops": 113_020_800,
    }


@pytest.mark.slow
def test_a_known_network_is_exported_untrained_at_another_width(typed, tmp_path) -> None:
    words = (
        "export",
        "RESNET8",
        "--untrained",
        "--channels",
        "8",
        "--image",
        "3,16,16",
        "--formats",
        "onnx,python",
    )
    (found,) = json.loads(typed(*words, "--json")[0])
    assert (found["channels"], found["cells"], found["parity"]["passed"]) == (8, 9, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("profile", "MOBILENET_V2", "--cells", "20"),
            "has 17 blocks, as its table says: leave cells out",
        ),
        (
            ("profile", "MOBILENET_V2", "--stem", "imagenet"),
            "has the stem of its table: leave 'imagenet' out",
        ),
        (("export", "FBNET_C", "--untrained", "--stem", "imagenet"), "has the stem of its table"),
        (("profile", "MOBILNET_V2"), "did you mean 'MOBILENET_V2'"),
        (
            ("search", "--space", "mobile"),
            "ndarts mixes all networks, and those of mobile have several sizes",
        ),
        (("search", "--space", "mobil", "--objective", "params"), "did you mean 'mobile'"),
        (
            ("devices", "calibrate", "--space", "fbnet", "--cells", "8"),
            "a network of fbnet has 22 blocks",
        ),
    ],
)
def test_what_a_chain_has_no_use_for_is_refused_in_one_line(typed, words, said) -> None:
    _, err = typed(*words, code=2)
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("text", ["16", "3x16x16", "3,16,16", " 3, 16, 16"])
def test_both_commands_read_an_image_in_every_form(typed, text: str) -> None:
    profiled = json.loads(
        typed("profile", "RESNET8", "--backend", "counts", "--image", text, "--json")[0]
    )
    macs = next(one["value"] for one in profiled["metrics"] if one["name"] == "macs")
    words = ("export", "RESNET8", "--untrained", "--formats", "weights", "--no-measure")
    (exported,) = json.loads(typed(*words, "--image", text, "--json")[0])
    assert exported["macs"] == macs == (12_501_632 - 640) // 4 + 640


@pytest.mark.parametrize("text", ["3x16,16", "3,16", "x", "0", "3,16,16,1", ""])
def test_an_image_in_no_form_is_refused_alike_by_both_commands(typed, text: str) -> None:
    said = [
        typed(*words, "--image", text, code=2)[1]
        for words in (("profile", "RESNET8"), ("export", "RESNET8", "--untrained"))
    ]
    assert said[0] == said[1]
    assert "--image: expected SIDE, CHANNELSxHEIGHTxWIDTH or channels,height,width" in said[0]


def test_a_known_network_keeps_its_name_in_an_export(typed) -> None:
    words = ("export", "RESNET8", "--untrained", "--channels", "8", "--image", "8", "--no-measure")
    out, _ = typed(*words, "--formats", "onnx", "--out", "here")
    key = parse("RESNET8").key
    assert [line.split()[0] for line in out.splitlines() if line.startswith((f" {key}", " RES"))]
    assert f"{key} (RESNET8): here" in out
    (record,) = json.loads(typed(*words, "--formats", "weights", "--json")[0])
    assert record["known_as"] == "RESNET8"
    other = ("export", "DARTS_V2", "--untrained", "--channels", "4", "--cells", "2", "--no-measure")
    (record,) = json.loads(typed(*other, "--formats", "weights", "--json")[0])
    assert record["known_as"] == "DARTS_V2"


OF_DIGITS = ("export", "RESNET8", "--untrained", "--channels", "8", "--data", "digits")
OF_DIGITS += ("--formats", "onnx", "--no-measure")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--classes", "4"), "--classes 4: digits has 10: leave it out"),
        (("--image", "16"), "--image 3x16x16: images of digits are read as 1x16x16"),
        (("--image", "1x16x8"), "--image 1x16x8: images of digits are read as 1x16x16"),
    ],
)
def test_a_size_that_the_images_have_not_is_refused(typed, words, said) -> None:
    _, err = typed(*OF_DIGITS, *words, code=2)
    assert said in err and err.count("\n") == 1


def test_the_images_of_an_untrained_export_are_read_at_the_side_that_is_said(typed) -> None:
    (found,) = json.loads(typed(*OF_DIGITS, "--image", "1x16x16", "--classes", "10", "--json")[0])
    assert (found["image"], found["checked_on"], found["accuracy"]) == (
        [1, 16, 16],
        "test images",
        None,
    )
    (found,) = json.loads(typed(*OF_DIGITS, "--json")[0])
    assert (found["image"], found["parity"]["test_images"]) == ([1, 8, 8], 359)


def test_what_an_untrained_export_was_checked_on_is_said(typed) -> None:
    out = " ".join(typed(*OF_DIGITS, "--out", "here")[0].split())
    assert "accuracy: not tested, untrained" in out and "verified on 359 images" in out
    words = ("export", "RESNET8", "--untrained", "--channels", "8", "--image", "8", "--no-measure")
    out = " ".join(typed(*words, "--formats", "onnx")[0].split())
    assert "accuracy: not tested, random images" in out and "verified on 64 random images" in out


def test_the_card_says_whether_a_search_found_the_network(typed) -> None:
    words = ("--untrained", "--channels", "4", "--no-measure", "--formats", "onnx", "--json")
    for name, said in (
        ("RESNET8", "The published network RESNET8, written by hwnas. A JSON"),
        ("DARTS_V2", "The published network DARTS\\_V2, written by hwnas. A JSON"),
    ):
        size = ("--image", "8", *(("--cells", "3") if name == "DARTS_V2" else ()))
        (found,) = json.loads(typed("export", name, *words, *size)[0])
        card = Path(found["files"]["onnx"]).with_name("model-card.md").read_text()
        assert said in card and "hwnas found" not in card


@pytest.mark.parametrize("text", ["5000", "4097x8x8", "3,8,4097"])
def test_the_largest_image_is_said(typed, text: str) -> None:
    for words in (("profile", "RESNET8"), ("export", "RESNET8", "--untrained")):
        _, err = typed(*words, "--image", text, code=2)
        assert f"--image {text}: at most 4096 pixels a side, and as many channels" in err
