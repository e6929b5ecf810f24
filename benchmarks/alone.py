"""Do exported files give the classes that hwnas gives, where hwnas is not installed?

    python -m benchmarks.alone RUN --photos ../shared/data/flowers/val [--members 3] [--images 100]

Trained members of a run are exported in every format whose runtime is installed. The program beside each file then
classifies photos in a process that can't import hwnas, from another folder. Compared are the likeliest class and all
probabilities with those of the trained network by torch, `hwnas predict RUN`: decoding, resizing and normalisation
included. INT8 files compute other numbers; of them it is said how many photos get the same class. Prints a Markdown
table.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch

from hwnas.export.examples import EXAMPLES, example_name
from hwnas.export.formats import FORMATS
from hwnas.export.images import images_for
from hwnas.export.network_files import export
from hwnas.export.predict import PhotoClasses, of_run, photos_of, predict
from hwnas.runs.directory import inside, open_run
from hwnas.runs.training_record import read_records
from hwnas.training.run_images import images_of
from hwnas.training.weights import load_weights

Shares = dict[str, dict[str, float]]
"""By photo, the probability of each class, the likeliest first."""
BLOCKED = (
    "import runpy, sys; sys.modules['hwnas'] = sys.modules['profilers'] = None; sys.argv = sys.argv[1:];"
    " sys.path.insert(0, sys.argv[0].rpartition('/')[0]); runpy.run_path(sys.argv[0], run_name='__main__')"
)


def alone(program: Path, photos: Sequence[str], folder: str) -> Shares:
    """What a program prints of photos, where hwnas can't be imported."""
    words = [sys.executable, "-c", BLOCKED, str(program), *photos]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    found: Shares = {}
    for line in done.stdout.splitlines():
        photo, _, classes = line.partition(": ")
        if photo in photos:
            pairs = [text.rpartition(" ") for text in classes.split(", ")]
            found[photo] = {name: float(share) for name, _, share in pairs}
    return found


def is_installed(name: str) -> bool:
    """Whether the runtime of a format is there."""
    packages = {"openvino": ("openvino",), "ncnn": ("ncnn", "pnnx"), "litert": ("ai_edge_litert",)}
    return all(find_spec(package) for package in packages.get(FORMATS[name].extra, ()))


def compared(theirs: Shares, ours: Shares) -> tuple[int, float]:
    """How many photos get the same class, and the largest difference of a probability."""
    same = sum(next(iter(theirs[photo])) == next(iter(classes)) for photo, classes in ours.items())
    far = max(
        abs(theirs[photo][name] - share)
        for photo, classes in ours.items()
        for name, share in classes.items()
        if name in theirs[photo]
    )
    return same, far


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--images", type=int, default=100)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    every = photos_of([arguments.photos.absolute()])
    photos = every[:: max(1, len(every) // arguments.images)][: arguments.images]
    run = open_run(arguments.run)
    dataset = images_of(run)
    print(f"{len(photos)} of {len(every)} photos\n")
    print("| network | side | format | same class | largest difference of a probability |")
    print("|---|---|---|---|---|")
    for record in read_records(run)[: arguments.members]:
        weights = load_weights(inside(run, "models", record.name) / "weights.safetensors", run.path)
        network = of_run(run, record.name)
        found = predict(network, photos, top=5)
        ours = {one.photo: dict(one.classes) for one in found if isinstance(one, PhotoClasses)}
        with tempfile.TemporaryDirectory() as folder:
            wanted = tuple(name for name in EXAMPLES if is_installed(name))
            export(weights, Path(folder), images_for(weights, dataset, raw=False), formats=wanted)
            for name in wanted:
                program = Path(folder) / example_name(name)
                same, far = compared(alone(program, photos, folder), ours)
                side = network.usage.input.shape[2]
                print(
                    f"| {record.name} | {side} | {FORMATS[name].file} | {same} of {len(ours)} | {far:.1g} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
