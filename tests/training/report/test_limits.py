"""The gravest limits stand first, and only those that hold."""

from tests.training.report.conftest import Told
from training.evaluation.sample_size_criteria import sample_size_criteria
from training.report.limits import limits

SIMULATED = "Every measure of performance here is of simulated patients"


def said(told: Told, words: str) -> bool:
    return any(words in limit for limit in told.report.limits)


def test_simulated_patients_come_first(developed: Told, rehearsed: Told, external: Told) -> None:
    assert developed.report.limits[0].startswith(SIMULATED)
    assert rehearsed.report.limits[0].startswith(SIMULATED)
    assert not said(external, "simulated")


def test_a_model_of_simulated_patients_must_not_answer(developed: Told, external: Told) -> None:
    assert said(developed, "must not answer for real ones")
    assert not said(external, "must not answer for real ones")


def test_who_has_not_tried_the_model(developed: Told, external: Told) -> None:
    assert said(developed, "was tried on no real patient")
    assert not said(external, "was tried on no real patient")


def test_few_events_are_said_to_be_few(developed: Told, few: Told) -> None:
    events = developed.report.evaluation.events
    assert said(developed, f"There are {events} events, fewer than 100")
    assert said(few, "No view leads")


def test_fewer_patients_than_guidance_asks_for(developed: Told, rehearsed: Told) -> None:
    size = rehearsed.report.evaluation
    assert sample_size_criteria(size.patients, size.events, False, size.asked).met is False
    assert said(developed, "fewer patients than guidance asks for")
    assert said(rehearsed, "fewer patients than guidance asks for")


def test_left_out_patients_and_single_sites(developed: Told, few: Told) -> None:
    flow = developed.report.flow
    assert flow is not None
    assert said(developed, f"{flow.excluded[0].patients} patients were left out because")
    assert said(few, "All patients come from one site")
    assert not said(developed, "All patients come from one site")


def test_unread_evidence_is_counted(rehearsed: Told) -> None:
    unread = len(rehearsed.report.manifest.evidence.unread_rows)
    assert unread > 0
    assert said(rehearsed, f"{unread} of the {rehearsed.report.manifest.evidence.rows} published")


def test_what_is_assumed_is_counted_as_what_it_is(rehearsed: Told) -> None:
    """What a conversion takes for granted is no typical value, and counts as well."""
    assert said(rehearsed, f"{len(rehearsed.report.model.assumed)} numbers are assumed")


def test_the_policy_of_treatment_is_always_said(each: Told) -> None:
    assert said(each, "treatment policy")
    assert said(each, "not randomised")


def test_a_promise_that_was_let_go_is_a_limit(developed: Told) -> None:
    report = developed.report
    manifest = report.manifest.model_copy(update={"directions_released": ("crp", "ldh")})
    found = limits(
        report.standing, report.marks, report.evaluation, report.flow, report.model, manifest
    )
    assert any("direction of crp, ldh" in limit for limit in found)
