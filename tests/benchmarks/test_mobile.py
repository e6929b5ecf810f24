"""What benchmarks/mobile.py compares: other images than it was tuned on, and members chosen before they are trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import mobile
from benchmarks.mobile_parts import JUDGED, SOURCE, write_images, write_pictures
from hwnas.config import resolve
from hwnas.training import data


def member(accuracy: float) -> dict[str, Any]:
    return {"accuracy": {"value": accuracy}}


def test_a_member_is_the_most_accurate_that_is_fast_enough_and_not_taken() -> None:
    members, ms = [member(0.3), member(0.6), member(0.5), member(0.9)], [0.01, 0.02, 0.03, 0.2]
    first = mobile.best_within(members, ms, 0.05, set())
    assert first == 1
    assert mobile.best_within(members, ms, 0.05, {first}) == 2
    assert mobile.best_within(members, ms, 1.0, {first}) == 3


def test_a_front_that_is_trained_holds_no_network_that_a_faster_one_beats() -> None:
    members = [member(0.3), member(0.2), member(0.5), member(0.9), member(0.8)]
    ms = [0.01, 0.02, 0.03, 0.04, 0.05]
    assert mobile.spread(members, ms) == [0, 2, 3]


@pytest.mark.skipif(not SOURCE.is_file(), reason=f"{SOURCE} is not there")
def test_judged_seeds_and_the_others_share_no_image(tmp_path: Path) -> None:
    for seed in (0, JUDGED):
        write_images(tmp_path / f"{seed}.npz", (3,), 5, seed)
    seen = []
    for seed in (0, JUDGED):
        with np.load(tmp_path / f"{seed}.npz") as arrays:
            assert arrays["x_train"].shape == (5, 32, 32, 3) and len(arrays["x_test"]) == 500
            seen.append(
                {image.tobytes() for part in ("train", "test") for image in arrays[f"x_{part}"]}
            )
    assert not seen[0] & seen[1]


def test_the_named_search_is_what_was_judged() -> None:
    named = resolve({}, "mobile-cifar10")
    judged = mobile.config_of("mobile", "ten", 0, Path("x.npz"), {})
    assert named == judged.model_copy(update={"data": named.data})


def test_the_table_sets_each_member_beside_its_residual_network(tmp_path: Path) -> None:
    roles = [f"{beside}RESNET8 {width}" for width in mobile.WIDTHS for beside in ("within ", "")]
    networks = [
        {"role": role, "latency_ms": 0.01 * n, "test_accuracy": 0.1 * n, "train_cpu_s": 20.0}
        for n, role in enumerate(roles, start=1)
    ]
    row = {"task": "six", "arm": "mobile", "seed": 0, "search_cpu_s": 50.0, "hypervolume": 0.5}
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({**row, "networks": networks}) + "\n")
    text = mobile.table(file)
    assert "| six | 0 | 8 | 0.0100 | 0.0200 | 10.0% | 20.0% | 20, 20 | 50 |" in text
    assert "| six | mobile | to 1 ms |  | 0.500 | 0.500 |  | 50 |" in text


def test_fronts_of_two_arms_are_compared_seed_by_seed(tmp_path: Path) -> None:
    rows = [
        {"task": "ten", "arm": arm, "seed": seed, "search_cpu_s": 100.0, "networks": []}
        | {"box_ms": [1.0, 0.1 + 0.01 * seed]}
        | {"hypervolume": 0.5 + 0.1 * seed - less, "hypervolume_within_resnet8_16": 0.3 - less}
        for seed in (1, 0)
        for arm, less in (("mobile", 0.0), ("random", 0.02))
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = mobile.table(file).splitlines()
    assert lines[0].startswith("| task | arm | box |")
    assert lines[3] == (
        "| ten | random | to 1 ms | 1.000, 1.000 | 0.480, 0.580 | 0.530 | +0.020 ± 0.000 | 100, 100 |"
    )
    assert lines[5].startswith(
        "| ten | random | to RESNET8 16 | 0.100, 0.110 | 0.280, 0.280 | 0.280 | +0.020"
    )


@pytest.mark.skipif(not SOURCE.is_file(), reason=f"{SOURCE} is not there")
def test_enlarged_pictures_are_the_same_images_in_a_folder(tmp_path: Path) -> None:
    write_images(tmp_path / "some.npz", (3, 5), 4, 0)
    where = write_pictures(tmp_path / "pictures", tmp_path / "some.npz", 96)
    read = data.load(where["source"], test=Path(where["test"]), image_size=32)
    plain = data.load(tmp_path / "some.npz")
    assert read.classes == plain.classes and read.image == (3, 32, 32)
    assert len(read.train) == 8 and len(read.test) == len(plain.test)
    # Enlarged and made small again, an image is nearly itself.
    near = torch.stack([batch.x for batch in data.batches(read, "train", 1)])
    there = torch.stack([batch.x for batch in data.batches(plain, "train", 1)])
    distance = (near.flatten(1)[:, None] - there.flatten(1)[None]).abs().mean(-1)
    assert sorted(distance.argmin(1).tolist()) == list(range(8))
    assert float(distance.min(1).values.max()) < 0.2
