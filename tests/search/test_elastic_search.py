"""A search among the parts of one network: weights are shared, kept from stage to stage, and go into training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hwnas.config import Config, resolve
from hwnas.nets.inherit import inherited
from hwnas.nets.network import Network
from hwnas.nets.supernet import build_supernet
from hwnas.nets.trained.value import HALF, OwnFile, TrainedWeights
from hwnas.runs.choice import Choice, choose
from hwnas.runs.directory import Run, open_run
from hwnas.runs.models import Model, model_of, models_at
from hwnas.runs.summary import read_front
from hwnas.runs.trials import read_trials
from hwnas.search import warm_start
from hwnas.search.search import resume, search
from hwnas.space.build import architecture_graph
from hwnas.space.encoding import to_genotype
from hwnas.space.genotype import Architecture
from hwnas.space.macro_toml import table_of
from hwnas.space.space import SPACES
from hwnas.training.finalists import forget, train_models
from hwnas.training.inherited import inherits, starts
from hwnas.training.recipe import RECIPES
from hwnas.training.run_images import images_of, read_images
from hwnas.training.start import Starts
from profilers.errors import InputError
from tests.search.tiny import images
from tests.space.elastic_macros import TINY_ELASTIC, tiny_family


def config(data: Path, **changes: Any) -> Config:
    settings: dict[str, Any] = {
        "algorithm": "tndnas",
        "macro": table_of(TINY_ELASTIC),
        "objectives": [{"metric": "macs"}],
        "exponents": [0.0, -0.2],
        "stages": [
            {"epochs": 1, "train": "largest"},
            {"epochs": 2, "frozen_epochs": 2},
            {"epochs": 1, "train": "nothing", "rounds": 3},
        ],
        "weight_step": {"batch_size": 16, "lr": 0.05, "paths": "uniform", "head_rate": 1.0},
        "alpha_step": {"samples": 4, "images": 24, "score": "likelihood"},
        "finalists_per_policy": 2,
        "data": {"source": str(data), "policy_share": 0.25},
    }
    return resolve({**settings, **changes})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images(tmp_path_factory.mktemp("elastic") / "images.npz")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Run:
    return search(config(data), tmp_path_factory.mktemp("elastic") / "run")


def test_only_the_stage_that_trains_nothing_evaluates_and_candidates_are_told_by_likelihood(
    run: Run,
) -> None:
    trials = read_trials(run)
    assert [trial.stage for trial in trials] == [2] * 12
    assert [trial.step for trial in trials] == sorted([0, 1, 2] * 4)
    for trial in trials:
        assert trial.likelihood is not None and 0 < trial.likelihood < 1
        assert trial.score == trial.likelihood
    written = json.loads(run.trials_path.read_text().splitlines()[0])
    assert written["likelihood"] == trials[0].likelihood


def test_a_quarter_of_the_images_judges_and_the_search_trains_on_the_rest(data: Path) -> None:
    dataset = read_images(config(data))
    weights, policy = set(dataset.split["weights"].tolist()), set(dataset.split["policy"].tolist())
    assert len(policy) == 24 and len(weights) == 72 and not weights & policy


def test_a_share_that_leaves_a_class_without_images_is_refused(data: Path) -> None:
    said = config(data).data.model_copy(update={"policy_share": 0.01})
    few = config(data).model_copy(update={"data": said})
    with pytest.raises(InputError, match=r"data.policy_share: 0.01 of the images of a class"):
        read_images(few)


def test_weights_go_on_from_stage_to_stage(data: Path, tmp_path: Path) -> None:
    still = config(data, stages=[
        {"epochs": 1, "train": "nothing", "rounds": 1},
        {"epochs": 1, "train": "nothing", "rounds": 2},
    ])  # fmt: skip
    found = search(still, tmp_path / "still")
    trials = read_trials(found)
    first = {trial.choices: trial.accuracy for trial in trials if trial.stage == 0}
    net = build_supernet(still.stage_family(1, read_images(still).task), seed=0)
    assert first and net.largest is not None
    from hwnas.runs.checkpoint import load_checkpoint

    saved = load_checkpoint(found)
    assert saved is not None
    seed = int(np.random.SeedSequence([still.seed, 0]).generate_state(1)[0])
    begun = build_supernet(still.stage_family(0, read_images(still).task), seed=seed)
    for name, tensor in begun.state_dict().items():
        assert np.array_equal(saved[0][f"weight.{name}"], tensor.numpy()), name


def test_a_search_that_was_stopped_ends_as_if_it_had_not_been(
    data: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hwnas.search import loop

    whole, calls = loop.evaluate, []

    def stops(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        whole(*arguments)

    monkeypatch.setattr(loop, "evaluate", stops)
    with pytest.raises(KeyboardInterrupt):
        search(config(data), tmp_path / "run")
    monkeypatch.setattr(loop, "evaluate", whole)
    again = resume(tmp_path / "run")
    assert read_trials(again) == read_trials(run)
    assert read_front(again).front == read_front(run).front


def test_training_begins_with_the_shared_weights_and_ends_better_than_chance(
    run: Run,
) -> None:
    dataset = images_of(run)
    model = model_of(run, choose(run, Choice()).members[0])
    assert inherits(run)
    seen: list[float] = []
    recipe = RECIPES["tune"]
    train_models(
        run,
        [model],
        dataset,
        recipe,
        0,
        start=starts(run, dataset.task, True),
        report=lambda model, epoch: seen.append(epoch.number),
    )
    assert seen == [0, 1]
    with pytest.raises(InputError, match="a training with start"):
        train_models(run, [model], dataset, recipe, 0, start=_other(run, dataset.task))


def test_the_networks_of_a_call_hand_their_weights_on_from_the_largest_to_the_smallest(
    run: Run, tmp_path: Path
) -> None:
    here = open_run(Path(shutil.copytree(run.path, tmp_path / "run")))
    dataset, recipe = images_of(here), RECIPES["tune"]
    models = sorted(
        models_at(here, read_front(here).front), key=lambda one: one.costs["macs"].value
    )
    assert len(models) >= 2
    small, large = models[0], models[-1]

    def train(*chosen: Model, stop: bool = False) -> dict[str, bytes]:
        heard: list[str] = []

        def report(model: Model, epoch: Any) -> None:
            heard.append(model.name)
            if stop and model.name == small.name and epoch.number:
                raise KeyboardInterrupt

        train_models(
            here, chosen, dataset, recipe, 0, start=starts(here, dataset.task, True), report=report
        )
        assert not heard or heard[0] == max(chosen, key=lambda m: m.costs["macs"].value).name
        return {one.name: tensors(one.folder / "weights.safetensors") for one in chosen}

    def afresh() -> None:
        for model in models:
            forget(model.folder, here.path)

    alone = train(small)
    # What has begun goes on, whatever was trained since.
    assert train(small, large)[small.name] == alone[small.name]
    afresh()
    after = train(small, large)
    assert after[small.name] != alone[small.name]
    afresh()
    with pytest.raises(KeyboardInterrupt):
        train(small, large, stop=True)
    assert train(small, large) == after


def tensors(path: Path) -> bytes:
    found = load_file(path)
    return b"".join(found[name].numpy().tobytes() for name in sorted(found))


def _other(run: Run, task: Any) -> Any:
    def start(model: Any) -> Any:
        from dataclasses import replace

        found = starts(run, task, True).of(model)
        assert found is not None
        name = next(iter(found.tensors))
        return replace(found, tensors={**found.tensors, name: found.tensors[name] + 1})

    return Starts(of=start)


def test_without_its_checkpoint_a_run_says_how_to_train_from_scratch(
    data: Path, tmp_path: Path
) -> None:
    found = search(config(data), tmp_path / "run")
    for path in found.checkpoint_path.parent.iterdir():
        path.unlink()
    with pytest.raises(InputError, match="the shared weights are gone; train from random ones"):
        starts(found, read_images(found.config).task, True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"stages": [{"epochs": 2, "train": "largest"}]},
            "somewhere networks have to be evaluated",
        ),
        ({"stages": [{"epochs": 2, "frozen_epochs": 3}]}, "must not be above epochs"),
        (
            {"stages": [{"epochs": 2, "train": "nothing", "frozen_epochs": 1}]},
            "evaluates from the start",
        ),
    ],
)
def test_stages_that_do_not_fit_are_refused(data: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        config(data, **changes)


def test_options_that_share_no_weights_have_no_largest_and_start_from_none() -> None:
    stages = [{"cells": 3, "epochs": 1, "train": "largest"}, {"cells": 3, "epochs": 1}]
    with pytest.raises(InputError, match="the options of darts share no weights"):
        resolve({"space": "darts", "stages": stages})
    with pytest.raises(InputError, match="weights_from: the options of darts share no weights"):
        resolve({"space": "darts", "weights_from": "efficientnet-lite0"})


def test_a_supernet_is_filled_with_trained_weights_and_a_classifier_that_fits_the_images(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = read_images(config(data))
    of = tiny_family()
    monkeypatch.setitem(SPACES, of.space.name, of.space)
    mine = config(data).stage_family(0, dataset.task)
    net = build_supernet(mine, 4)
    assert net.largest is not None
    genotype = to_genotype(of.space, net.largest)
    torch.manual_seed(5)
    theirs = Network(Architecture(genotype, channels=8, cells=5), 7, dataset.image)
    trained = {name: tensor.clone() for name, tensor in theirs.state_dict().items()}
    monkeypatch.setattr(warm_start, "trained_state", lambda weights, download: trained)
    monkeypatch.setattr(warm_start, "grey_state", lambda state, preprocessing: state)
    weights = TrainedWeights(
        name="mine",
        genotype=genotype,
        source=OwnFile(path=data),
        licence="mine",
        preprocessing=HALF,
        classes=7,
    )
    warm_start.fill(net, weights, dataset, (1,))
    part = architecture_graph(Architecture(genotype, channels=8, cells=5), dataset.task)
    found = inherited(net.state_dict(), net.graph_of(net.largest), part)
    same = [name for name, tensor in found.items() if torch.equal(tensor, trained[name])]
    assert {name for name in found if name.startswith("stem")} <= set(same)
    assert not any("classifier" in name for name in same)
    network = Network(Architecture(genotype, channels=8, cells=5), 3, dataset.image).eval()
    state = {**trained, **{name: found[name] for name in found if "classifier" in name}}
    network.load_state_dict(state)
    batch = dataset.train[dataset.split["weights"]].float()
    mean, std = torch.tensor(dataset.mean), torch.tensor(dataset.std)
    logits = network((batch / 255 - mean.view(-1, 1, 1)) / std.view(-1, 1, 1))
    right = logits.argmax(1) == dataset.train_labels[dataset.split["weights"]]
    assert float(right.float().mean()) > 0.9


def test_weights_of_another_network_are_refused_before_anything_is_written(
    data: Path, tmp_path: Path
) -> None:
    other = config(data).model_copy(update={"weights_from": "mobilenet-v2"})
    with pytest.raises(
        InputError, match="mobilenet-v2 fits mobilenet-v2-elastic, not tiny-elastic"
    ):
        search(other, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_batch_in_pieces_is_the_batch_in_nearly_equal_parts() -> None:
    from hwnas.search.evaluate import PIECE, pieces
    from hwnas.training.data import Batch

    x = torch.arange(2 * PIECE + 1).float().view(-1, 1, 1, 1)
    found = pieces(Batch(x, torch.arange(2 * PIECE + 1)))
    assert [len(one.y) for one in found] == [62, 62, 61] and PIECE == 92
    assert torch.equal(torch.cat([one.x for one in found]), x)
    assert len(pieces(Batch(x[:PIECE], torch.arange(PIECE)))) == 1
