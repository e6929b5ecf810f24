"""How a summary's notes are told."""

from __future__ import annotations

from hwnas.runs.summary import HealthNote, health_lines


def note(stage: int, kind: str, text: str) -> HealthNote:
    return HealthNote(stage=stage, kind=kind, text=text, advice="do more")


def test_what_each_stage_showed_is_told_once_and_each_policy_by_itself() -> None:
    chance = [note(stage, "chance", f"right on {30 + stage} %") for stage in range(3)]
    policies = [note(0, "entropy", "policy 1 had decided"), note(0, "entropy", "policy 2 had")]
    assert health_lines([chance[0], *policies, *chance[1:]]) == [
        "stages 1, 2 and 3 (figures of stage 3): right on 32 %; do more",
        "stage 1: policy 1 had decided; do more",
        "stage 1: policy 2 had; do more",
    ]
    assert health_lines(chance[1:2]) == ["stage 2: right on 31 %; do more"]
    alike = [note(stage, "untaught", "no network was evaluated") for stage in range(2)]
    assert health_lines(alike) == ["stages 1 and 2: no network was evaluated; do more"]
    assert health_lines([]) == []
