"""report.json is strict JSON that says everything, and why something is missing."""

import json

import pytest

from tests.training.report.conftest import CODE, Told
from training.judging.verdict import NO_LIMITS
from training.report.build import report
from training.report.page import report_json
from training.report.record import Report


def test_it_is_strict_json_that_reads_back(each: Told) -> None:
    text = report_json(each.report)
    json.loads(text, parse_constant=lambda word: pytest.fail(word))
    assert Report.model_validate_json(text) == each.report


def test_the_same_run_gives_the_same_bytes(developed: Told) -> None:
    again = report(
        developed.artefact,
        developed.report.evaluation,
        developed.report.verdict,
        CODE,
        cohort=developed.cohort,
        experiment=developed.report.experiment,
    )
    assert report_json(again) == report_json(developed.report)


def test_every_missing_part_has_a_reason_and_no_other_has(each: Told) -> None:
    empty = {name for name in Report.model_fields if getattr(each.report, name) in (None, (), {})}
    assert empty - {"absent"} == set(each.report.absent)


def test_kinds_follow_from_whom_was_judged(
    developed: Told, external: Told, rehearsed: Told
) -> None:
    kinds = [told.report.kind for told in (developed, external, rehearsed)]
    assert kinds == ["development", "external validation", "rehearsal"]


def test_real_and_simulated_patients_are_never_counted_together(
    developed: Told, external: Told, rehearsed: Told
) -> None:
    standing = developed.report.standing
    n = developed.report.evaluation.patients
    assert (standing.fitted_on_real, standing.fitted_on_simulated) == (0, n)
    assert (standing.judged_on_real, standing.judged_on_simulated) == (0, n)
    assert standing.validated_on_real == 0
    standing = external.report.standing
    assert standing.judged_on_real == external.report.evaluation.patients
    assert standing.validated_on_real == external.report.evaluation.patients
    assert standing.judged_on_simulated == 0
    standing = rehearsed.report.standing
    assert standing.judged_on_real == standing.validated_on_real == 0


def test_a_report_does_not_invent_a_verdict(rehearsed: Told) -> None:
    assert rehearsed.report.verdict == NO_LIMITS
