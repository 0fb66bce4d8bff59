"""Real CAR-T patients of a product that no model knows: an answer in words, never a number.

59 children and young adults with B-cell leukaemia given an investigational CD22 CAR-T (NCI).
The patients stay outside the repository; failures show counts, never rows.

The source counts days of a draw from midnight of the infusion day: draws lie near 0.2 and near
1.2, the early mornings of the infusion day and of the next.
By its notes a draw after 0.5 came after the cells.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_schemas.cohort_table import Cohort, CohortRefused, Purpose, read_cohort
from data_schemas.outcomes import OUTCOMES
from training.synthesis.published_effects import LABORATORY_CORRELATION

PATIENTS = 59
SEVERE_BY_ASBMT = 12
INFUSION_DAY = datetime(2018, 1, 1)
"""Arbitrary: the source holds no date."""
INFUSION = INFUSION_DAY + timedelta(days=0.5)
LABORATORY = {
    "crp": ("crp_mgL", "mg/L", "crp_day"),
    "ferritin": ("ferritin_ugL", "ug/L", "ferritin_day"),
    "ldh": ("ldh_UL", "U/L", "ldh_day"),
}
DRAWN_ON_A_LATER_DAY = {"crp": 2, "ferritin": 17, "ldh": 2}
DRAWN_AFTER_NOON = {"crp": 3, "ferritin": 17, "ldh": 7}
"""What the notes of the source count as drawn after the infusion."""

Serve = Callable[[Path], AbstractContextManager[Any]]
Command = Callable[..., str]
Body = dict[str, Any]


@dataclass(frozen=True, repr=False)
class Answers:
    """What the service said of every patient; not shown when a test fails."""

    refused: Counter[str]
    """Fields refused at first, by name."""
    refusals: set[tuple[str, str]]
    final_status: Counter[int]
    bodies: list[Body]


def rows_of(source: Path) -> pd.DataFrame:
    return pd.read_csv(source / "car22_nci" / "car22_baseline_derived.csv")


def patient(row: pd.Series, infusion: str) -> Body:
    """Say in the REST contract what a row of the source says before the infusion."""
    __tracebackhide__ = True
    body: Body = {
        "product": "other",
        "disease": "B_ALL",
        "age": "unknown",
        "infusion_date": infusion,
        "extramedullary_disease": bool(row["emd"]),
        "prior_cart_or_bispecific": bool(row["prior_car"] or row["prior_blina"]),
    }
    if pd.notna(row["bm_blast_pct"]):
        body["marrow_blast"] = {"value": float(row["bm_blast_pct"]), "unit": "%"}
    for name, (column, unit, day) in LABORATORY.items():
        if pd.notna(row[column]):
            drawn = INFUSION_DAY + timedelta(days=float(row[day]))
            body[name] = {
                "value": float(row[column]),
                "unit": unit,
                "measured_at": drawn.isoformat(timespec="minutes"),
            }
    return body


def ask(service: Any, bodies: Sequence[Body]) -> Answers:
    """Send every patient, and again without what was refused as drawn after the infusion."""
    __tracebackhide__ = True
    refused: Counter[str] = Counter()
    refusals: set[tuple[str, str]] = set()
    status: Counter[int] = Counter()
    answers = []
    for body in bodies:
        response = service.assess(body)
        if response.status_code == 422:
            problems = response.json()["problems"]
            refused.update(problem["field"] for problem in problems)
            refusals |= {(problem["code"], problem["message"]) for problem in problems}
            late = {problem["field"] for problem in problems}
            response = service.assess({k: v for k, v in body.items() if k not in late})
        status[response.status_code] += 1
        if response.status_code == 200:
            answers.append(response.json())
    return Answers(refused, refusals, status, answers)


@pytest.fixture(scope="module")
def service(
    cart_risk: Command, serving: Serve, quick_experiments: Path, workplace: Path, real_data: Path
) -> Iterator[Any]:
    """Serve models that rest on published evidence alone, as `make serve` does."""
    store = workplace / "models_of_evidence"
    for outcome in OUTCOMES:
        cart_risk("train", quick_experiments / f"{outcome}.toml", "--models", store)
    with serving(store) as running:
        yield running


@pytest.fixture(scope="module")
def answers(service: Any, real_data: Path) -> Answers:
    infusion = INFUSION_DAY.date().isoformat()
    return ask(service, [patient(row, infusion) for _, row in rows_of(real_data).iterrows()])


@pytest.fixture(scope="module")
def as_if_approved(service: Any, real_data: Path) -> Answers:
    """Ask what would be said were the product one that treats children with this leukaemia."""
    changed = {"product": "tisagenlecleucel", "age": {"value": 12, "unit": "a"}}
    infusion = INFUSION_DAY.date().isoformat()
    rows = rows_of(real_data).iterrows()
    return ask(service, [patient(row, infusion) | changed for _, row in rows])


def outcomes_of(answers: Answers) -> list[Body]:
    return [outcome for body in answers.bodies for outcome in body["outcomes"]]


def test_every_patient_is_answered_for_both_outcomes(answers: Answers) -> None:
    assert answers.final_status == {200: PATIENTS}
    asked = Counter(outcome["outcome"] for outcome in outcomes_of(answers))
    assert asked == dict.fromkeys(OUTCOMES, PATIENTS)


def test_values_of_a_later_day_are_refused_and_nothing_else(answers: Answers) -> None:
    assert answers.refused == DRAWN_ON_A_LATER_DAY
    refusals = {("measured_after_infusion", "must be measured before the infusion")}
    assert answers.refusals == refusals


def test_values_of_the_infusion_day_after_the_infusion_are_refused(
    service: Any, real_data: Path
) -> None:
    infusion = INFUSION.isoformat()
    said = ask(service, [patient(row, infusion) for _, row in rows_of(real_data).iterrows()])
    assert said.refused == DRAWN_AFTER_NOON


def test_unknown_product_gets_words_and_no_number(answers: Answers) -> None:
    status = Counter(outcome["status"] for outcome in outcomes_of(answers))
    assert set(status) <= {"out_of_scope", "insufficient_data"}
    numbers = {"risk", "interval", "natural_frequency", "comparison", "base_rate", "explanation"}
    assert [o["outcome"] for o in outcomes_of(answers) if numbers & set(o)] == []
    reasons = Counter(len(outcome["reasons"]) > 0 for outcome in outcomes_of(answers))
    assert reasons == {True: 2 * PATIENTS}
    words = {reason for outcome in outcomes_of(answers) for reason in outcome["reasons"]}
    assert all(len(reason.split()) >= 3 for reason in words)


def test_overall_status_is_never_better_than_that_of_an_outcome(answers: Answers) -> None:
    assert Counter(body["status"] for body in answers.bodies) == {"out_of_scope": PATIENTS}


def test_known_product_gets_a_caution_or_no_number_never_a_silent_low(
    as_if_approved: Answers,
) -> None:
    assert as_if_approved.final_status == {200: PATIENTS}
    assert as_if_approved.refused == DRAWN_ON_A_LATER_DAY
    told = outcomes_of(as_if_approved)
    assert {o["status"] for o in told} <= {"caution", "insufficient_data"}
    assert sum(not o["reasons"] for o in told) == 0
    assert sum(("risk" in o) != (o["status"] == "caution") for o in told) == 0
    low = [o for o in told if o.get("comparison") == "below"]
    assert sum(len(o["reasons"]) < 2 for o in low) == 0
    statements = {body["low_risk_statement"] for body in as_if_approved.bodies}
    assert statements == {
        "A low estimate does not exclude severe toxicity. Monitor as local policy requires."
    }


OF_A_REQUEST = {
    *("time", "level", "logger", "message"),
    *("route", "method", "status", "milliseconds", "request_id", "caller"),
}


def test_service_writes_nothing_about_a_patient(service: Any, real_data: Path) -> None:
    """A line for each request says that it was answered, how, when and for whose key."""
    before = service.output.stat().st_size
    infusion = INFUSION_DAY.date().isoformat()
    bodies = [patient(row, infusion) for _, row in rows_of(real_data).iterrows()]
    ask(service, [body | {"marrow_blast": {"value": "not a number"}} for body in bodies])
    ask(service, bodies)
    lines = service.output.read_bytes()[before:].splitlines()
    assert len(lines) >= 2 * len(bodies)
    for said in map(json.loads, lines):
        assert set(said) <= OF_A_REQUEST
        assert (said["message"], said["route"]) == ("answered", "/v1/assess")


def cohort_table(source: Path, grades: str, scale: str) -> pd.DataFrame:
    """Say in the cohort contract what was drawn before noon of the infusion day."""
    rows = rows_of(source)
    table = pd.DataFrame({"patient_id": rows["id"].astype(str)})
    words = {"site": "nci", "product": "other", "disease": "B_ALL"}
    table = table.assign(**words, infusion_date=pd.Timestamp(INFUSION), grading_scale=scale)
    table["crs_grade"] = rows[grades]
    table["marrow_blast_pct"] = rows["bm_blast_pct"]
    table["extramedullary_disease"] = rows["emd"].map({1: "yes", 0: "no"})
    for name, (column, unit, day) in LABORATORY.items():
        early = rows[day] <= 0.5
        table[f"{name}_{unit.replace('/', '_').lower()}"] = rows[column].where(early)
        drawn = pd.Timestamp(INFUSION_DAY) + pd.to_timedelta(rows[day], unit="D")
        table[f"{name}_measured_at"] = drawn.where(early)
    return table


def read(table: pd.DataFrame) -> Cohort:
    __tracebackhide__ = True
    return read_cohort(table, Purpose.SCORING, [OUTCOMES["severe_crs"]])


def test_lee_grades_are_refused_for_the_consensus_outcome(real_data: Path) -> None:
    # "Max Grade CRS" of the source's workbook is the scale of Lee 2014, not the consensus.
    with pytest.raises(CohortRefused) as refused:
        read(cohort_table(real_data, "crs_max_lee", "Lee"))
    assert refused.value.rules == {"other_grading_scale"}
    (violation,) = refused.value.violations
    assert len(violation.rows) == PATIENTS


def test_lee_grades_are_refused_by_the_command_line(
    cart_risk: Command, real_data: Path, quick_experiments: Path, private: Path
) -> None:
    table, models = private / "lee.csv", private / "never"
    cohort_table(real_data, "crs_max_lee", "Lee").to_csv(table, index=False)
    experiment = quick_experiments / "severe_crs.toml"
    said = cart_risk("train", experiment, "--cohort", table, "--models", models, status=1)
    assert "other_grading_scale" in said
    assert not (models / "severe_crs").exists()


def test_asbmt_grades_are_the_consensus(real_data: Path) -> None:
    cohort = read(cohort_table(real_data, "Max Grade CRS_ASBMT", "ASBMT"))
    assert len(cohort) == PATIENTS
    assert int(cohort.outcomes["severe_crs"].sum()) == SEVERE_BY_ASBMT
    assert cohort.notices == ()  # no unit of theirs is doubted


def test_grades_under_the_name_of_the_workbook_are_not_guessed_at(real_data: Path) -> None:
    table = cohort_table(real_data, "Max Grade CRS_ASBMT", "ASBMT")
    with pytest.raises(CohortRefused) as refused:
        read(table.rename(columns={"crs_grade": "Max Grade CRS"}))
    assert refused.value.rules == {"required", "unknown_column"}


def test_late_draws_are_refused_in_a_table_by_the_hour(real_data: Path) -> None:
    table, rows = cohort_table(real_data, "Max Grade CRS_ASBMT", "ASBMT"), rows_of(real_data)
    for name, (_, _, day) in LABORATORY.items():
        drawn = pd.Timestamp(INFUSION_DAY) + pd.to_timedelta(rows[day], unit="D")
        table[f"{name}_measured_at"] = drawn
    with pytest.raises(CohortRefused) as refused:
        read(table)
    assert refused.value.rules == {"measured_after_infusion"}
    found = {v.column.removesuffix("_measured_at"): len(v.rows) for v in refused.value.violations}
    assert found == DRAWN_AFTER_NOON


def test_batch_scoring_gives_every_patient_a_status_and_no_number(
    cart_risk: Command, service: Any, real_data: Path, private: Path, workplace: Path
) -> None:
    table, out = private / "cohort.csv", private / "scored.csv"
    cohort_table(real_data, "Max Grade CRS_ASBMT", "ASBMT").to_csv(table, index=False)
    models = workplace / "models_of_evidence"
    cart_risk("score", "--cohort", table, "--out", out, "--models", models)
    scored = pd.read_csv(out)
    assert len(scored) == PATIENTS
    for outcome in OUTCOMES:
        status = scored[f"{outcome}_status"].value_counts().to_dict()
        assert status == {"out_of_scope": PATIENTS}
        assert int(scored[outcome].notna().sum()) == 0


def test_laboratory_values_and_blasts_go_together_as_the_prior_assumes(real_data: Path) -> None:
    rows = rows_of(real_data)
    measured = [rows[column].clip(lower=0.5) for column, _, _ in LABORATORY.values()]
    together = np.log(pd.concat([*measured, rows["bm_blast_pct"].clip(lower=0.5)], axis=1)).corr()
    pairs = together.to_numpy()[np.triu_indices(4, 1)]
    assert pairs.mean() == pytest.approx(0.27, abs=0.02)
    assert pairs.mean() == pytest.approx(LABORATORY_CORRELATION, abs=0.05)
