"""Images of a run are compared wherever they are read again: none that a search has seen becomes
a test image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hwnas.config import Config, resolve
from hwnas.runs.directory import Run, create
from hwnas.runs.environment import read_environment
from hwnas.training import folders
from hwnas.training.data import digest
from hwnas.training.run_images import (
    TEST_IMAGES,
    check_images,
    check_same,
    images_of,
    parts_of,
    read_images,
    record_of_test,
)
from profilers.errors import InputError
from tests.training.test_order import paint, pictures

X, Y = pictures()


def photos(root: Path) -> Path:
    return paint(root, X, Y, range(len(X)))


def config_of(source: Path, **data: str) -> Config:
    return resolve({"data": {"source": str(source), **data}})


def begun(path: Path, config: Config) -> Run:
    dataset = read_images(config)
    kept = digest(dataset), parts_of(dataset), {TEST_IMAGES: record_of_test(dataset)}
    return create(path, config, ["hwnas", "search"], *kept)


def test_images_that_are_the_same_under_other_names_are_the_runs(tmp_path: Path) -> None:
    run = begun(tmp_path / "run", config_of(photos(tmp_path / "photos")))
    for number, file in enumerate(sorted((tmp_path / "photos").rglob("*.png"), reverse=True)):
        file.rename(file.with_name(f"other{number}.png"))
    check_same(run, images_of(run), read_environment(run.path))


def test_a_photo_that_was_added_is_refused_with_what_differs_and_what_to_do(tmp_path: Path) -> None:
    run = begun(tmp_path / "run", config_of(photos(tmp_path / "photos")))
    paint(tmp_path / "photos", 255 - X[:6], Y[:6], [f"added{number}" for number in range(6)])
    with pytest.raises(InputError) as error:
        images_of(run)
    said = str(error.value)
    assert "29 training images, then 24; 7 test images, then 6" in said
    assert "put them back" in said and "search again" in said and "\n" not in said


def test_a_photo_that_was_exchanged_is_noticed(tmp_path: Path) -> None:
    folder = paint(tmp_path / "photos", X, Y, range(len(X)), ("train", "val"))
    run = begun(tmp_path / "run", config_of(folder))
    (folder / "val" / "cedar" / "25.png").write_bytes(
        (folder / "val" / "ash" / "4.png").read_bytes()
    )
    with pytest.raises(
        InputError, match="the training images are the same; of 30 test images some are others"
    ):
        images_of(run)


def test_other_names_in_a_large_folder_stop_a_search_but_not_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "IN_MEMORY_BYTES", 0)
    folder = paint(tmp_path / "photos", X, Y, range(len(X)), ("train", "val"))
    run = begun(tmp_path / "run", config_of(folder))
    for number, file in enumerate(sorted((folder / "train").rglob("*.png"), reverse=True)):
        file.rename(file.with_name(f"other{number}.png"))
    dataset = images_of(run)
    with pytest.raises(
        InputError, match="in another order: a folder of this size goes by its file names"
    ):
        check_same(run, dataset, read_environment(run.path))


def test_a_run_of_an_earlier_version_is_trained_with_a_warning_and_not_gone_on_with(
    tmp_path: Path,
) -> None:
    config = config_of(photos(tmp_path / "photos"))
    for number, kept in enumerate(("0123456789abcdef", "")):
        run, heard = create(tmp_path / f"run{number}", config, [], kept), list[str]()
        dataset = images_of(run, warn=heard.append)
        assert len(heard) == 1 and "earlier version" in heard[0]
        with pytest.raises(InputError, match="earlier version"):
            check_same(run, dataset, read_environment(run.path))


@pytest.mark.parametrize(
    "kept", [None, [], {"train": 3}, {"train": {"count": "many", "digest": 1}, "test": None}]
)
def test_a_damaged_record_of_the_images_is_one_that_differs(tmp_path: Path, kept: object) -> None:
    run = begun(tmp_path / "run", config_of(photos(tmp_path / "photos")))
    file = run.path / "environment.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "images": kept}))
    with pytest.raises(InputError, match="24 training images, then unknown"):
        check_images(run, read_images(run.config))


def test_a_run_says_which_images_were_its_test_set(tmp_path: Path) -> None:
    folder = paint(tmp_path / "photos", X, Y, range(len(X)), ("train", "val"))
    said = json.loads((begun(tmp_path / "run", config_of(folder)).path / TEST_IMAGES).read_text())
    assert said["count"] == 30 and said["named_by"].startswith("file")
    assert sorted(said["images"]["ash"]) == sorted(f"val/ash/{number}.png" for number in range(10))
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, x_test=X[::-1], y_test=Y[::-1])
    rows = json.loads(record_of_test(read_images(config_of(tmp_path / "a.npz"))))
    assert rows["named_by"].startswith("row") and rows["images"]["0"] == list(range(20, 30))


def test_the_test_folder_may_lie_anywhere(tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    paint(tmp_path / "tests", 255 - X[::3], Y[::3], range(10))
    config = config_of(tmp_path / "photos", test=str(tmp_path / "tests"))
    dataset = read_images(config)
    assert (len(dataset.train), len(dataset.test)) == (30, 10)
    assert set(dataset.test_names) == {
        f"../tests/{('ash', 'birch', 'cedar')[y]}/{n}.png" for n, y in enumerate(Y[::3])
    }
    run = begun(tmp_path / "run", config)
    (tmp_path / "tests" / "ash" / "1.png").unlink()
    with pytest.raises(
        InputError, match="the training images are the same; 9 test images, then 10"
    ):
        images_of(run)


def test_a_test_folder_takes_the_place_of_the_one_beside_train(tmp_path: Path) -> None:
    for parts in (("train",), ("train", "val")):
        folder = paint(tmp_path / f"photos{len(parts)}", X, Y, range(len(X)), parts)
        paint(tmp_path / "tests", X[::3], Y[::3], range(10))
        dataset = read_images(config_of(folder, test=str(tmp_path / "tests")))
        assert (len(dataset.train), len(dataset.test)) == (30, 10)


@pytest.mark.parametrize(
    ("source", "test", "message"),
    [
        ("photos", "nowhere", "data.test .*nowhere: no such folder"),
        ("photos", "photos", "keep them apart"),
        ("photos", "photos/ash", "keep them apart"),
        ("photos", ".", "keep them apart"),
        ("photos", "less", "data.test .*less: no folder for the class 'cedar'"),
        ("photos", "more", "more/elm: class unknown in training"),
        ("digits", "photos", "data.test .*photos: only a folder of images takes one, not 'digits'"),
        ("nowhere", "photos", "unknown data set '.*nowhere'"),
        ("a.npz", "photos", "data.test .*photos: only a folder of images takes one"),
    ],
)
def test_what_is_wrong_with_a_test_folder_is_named(
    tmp_path: Path, source: str, test: str, message: str
) -> None:
    photos(tmp_path / "photos")
    paint(tmp_path / "less", X[:20], Y[:20], range(20))
    (paint(tmp_path / "more", X, Y, range(30)) / "ash").rename(tmp_path / "more" / "elm")
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, x_test=X, y_test=Y)
    where = source if source == "digits" else str(tmp_path / source)
    with pytest.raises(InputError, match=message):
        read_images(resolve({"data": {"source": where, "test": str(tmp_path / test)}}))
