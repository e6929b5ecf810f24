"""What is known of a network by number: its accuracy, its costs, and where each is from."""

from __future__ import annotations

from hwnas.runs.schema import Fraction, Number, Record, Text


class Accuracy(Record):
    """Accuracy in 0..1 and how it was obtained; what else spoke for a finalist, where SynFlow was
    asked.

    ``counted``: the share of images that were right, where ``value`` is estimated by likelihood.
    ``regression``: predicted score on an average batch. ``log_synflow``: ln of SynFlow.
    ``believed``: both in standard deviations of the shortlist, added.
    """

    value: Fraction
    provenance: Text
    counted: Fraction | None = None
    regression: Number | None = None
    log_synflow: Number | None = None
    believed: Number | None = None


class Prediction(Record):
    """What a measured cost was predicted to be."""

    value: Number
    provenance: Text


class MeasuredValue(Record):
    """A measured value with its 95 % interval."""

    value: Number
    low: Number | None = None
    high: Number | None = None
    provenance: Text


class MeasurementFailure(Record):
    """Why a cost could not be measured."""

    reason: Text
    detail: Text


class Cost(Record):
    """A cost in ``unit`` with its provenance.

    Where it was measured it has an interval and the prediction beside it. ``process``: memory that
    a whole process took, in the same unit.
    """

    value: Number
    unit: Text
    provenance: Text
    low: Number | None = None
    high: Number | None = None
    noisy: bool | None = None
    predicted: Prediction | None = None
    process: MeasuredValue | None = None
    failure: MeasurementFailure | None = None

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high); a cost that was not measured is taken as exact."""
        return (
            self.value if self.low is None else self.low,
            self.value if self.high is None else self.high,
        )
