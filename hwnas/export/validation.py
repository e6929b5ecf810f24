"""The images that exported files of a trained network are compared on, so that the test images
choose nothing."""

from __future__ import annotations

from hwnas.runs.directory import Run
from hwnas.runs.training_record import TrainingRecord
from hwnas.training.dataset import Dataset
from hwnas.training.inherited import inherits
from hwnas.training.train import held_out


def validation_images(run: Run, record: TrainingRecord, dataset: Dataset) -> tuple[Dataset, bool]:
    """The data set whose split "policy" is validated on, and whether training has used it too.

    The images that the training held out, where it did; else those by which the search compared
    networks. A network that began with shared weights may have seen in them what it holds out,
    unless its record says that it was drawn from what they have not seen.
    """
    share = _share(record)
    if not share or record.seed is None:
        return dataset, True
    unseen = bool(record.unseen)
    return held_out(dataset, share, record.seed, unseen=unseen), inherits(run) and not unseen


def _share(record: TrainingRecord) -> float:
    """What part of the training images was held out, in 0..0.5."""
    said = (record.recipe or {}).get("hold_out", 0.0)
    known = isinstance(said, int | float) and 0 < said <= 0.5
    return float(said) if known else 0.0
