"""What a trained network takes for what, as the page shows it."""

from __future__ import annotations

from typing import Any

from hwnas.report.load import RunData
from hwnas.runs.confusion import confusion_line
from hwnas.runs.summary import Member

MOST_DRAWN = 30
"""Classes of a matrix that is drawn; of more, the accuracy of each is listed."""


def by_class(data: RunData, member: Member) -> dict[str, Any] | None:
    """Accuracy of each class and the confusion matrix; None where training kept none."""
    record = data.records.get(member.label)
    if record is None or record.classes is None or record.class_accuracy is None:
        return None
    drawn = record.confusion is not None and len(record.classes) <= MOST_DRAWN
    return {
        "names": record.classes,
        "accuracy": [None if share is None else float(share) for share in record.class_accuracy],
        "counts": record.confusion if drawn else None,
        "line": confusion_line(
            member.label, record.classes, record.class_accuracy, record.confusion
        ),
    }
