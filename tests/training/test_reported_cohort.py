"""What the log knows becomes a cohort file that training reads, for its owner's eyes only."""

import json
import os
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from data_schemas.cohort_table import Cohort, Purpose, read_cohort
from data_schemas.outcomes import OUTCOMES
from data_schemas.patient_request import read_patient
from data_schemas.reported_outcome import ReportedOutcome
from serving.assessed_patients import AssessedPatient, AssessedPatients
from serving.assessment_log import exports
from serving.assessment_log.entries import LogEntry
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.refusals import LogRefused
from serving.settings import LogSettings
from tests.conftest import Body
from tests.serving.assessment_log.conftest import using
from training.__main__ import app
from training.reported_cohort import NothingToExport, reported_cohort
from training.simulation.synthetic_cohort import SimulatedCohort

Grades = dict[str, Any]
SITE = "St Nowhere"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a log, and an environment that names none."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("CART_RISK_LOG")]:
        monkeypatch.delenv(name)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def export(out: str = "local.csv", *more: str) -> Result:
    return run("log-cohort", "--out", out, "--site", SITE, *more)


def words(result: Result) -> str:
    return " ".join(result.output.split())


def kept(
    *assessed: tuple[Body, Grades], inputs: str = "encrypted", spelt: Callable[[str], str] = str
) -> None:
    """Write assessments with an outcome each, as the service does; without grades there is none."""
    settings = LogSettings("sqlite:///log/assessments.sqlite", Path("log/site.key"), inputs=inputs)
    assert run("log-key", "--if-missing").exit_code == 0

    async def use(log: AssessmentLog) -> None:
        for body, grades in assessed:
            reference = body.get("reference")
            sent = json.dumps(body).encode()
            entry = LogEntry(answer=b'{"status": "ok"}', input=sent, reference=reference)
            await log.append(entry)
            if not grades:
                continue
            report = {
                "assessment_id": spelt(str(entry.id)),
                "grading_scale": "ASTCT 2019",
                "follow_up_days": 28,
                **grades,
            }
            told = json.dumps(report).encode()
            await log.record_outcome(entry.id, told, request_id="r", api_key_id="k")

    using(settings, use)


def cohort(path: str) -> Cohort:
    return read_cohort(Path(path), Purpose.DEVELOPMENT, OUTCOMES.values())


MILD = {"crs_grade": 1, "icans_grade": 0}


@pytest.mark.parametrize("out", ["local.csv", "local.parquet"])
def test_the_file_says_what_the_simulated_table_said(
    simulated: SimulatedCohort, bodies: list[Body], out: str
) -> None:
    """Value for value, through request, log and export."""
    n = 80
    table = simulated.table[:n].dropna(axis="columns", how="all").assign(site=SITE)
    grades = [
        {name: int(row[name]) for name in ("crs_grade", "icans_grade") if pd.notna(row[name])}
        for _, row in table.iterrows()
    ]
    told = [(b, g) for b, g in zip(bodies[:n], grades, strict=True) if g]
    kept(*told)
    assert export(out, "--simulated").exit_code == 0
    back, straight = cohort(out), read_cohort(table, Purpose.DEVELOPMENT, OUTCOMES.values())
    assert back.synthetic
    assert set(back.site) == {SITE}
    known = np.flatnonzero([bool(g) for g in grades])
    days = [cohort_.infusion_date.dt.date.to_numpy() for cohort_ in (back, straight)]
    np.testing.assert_array_equal(days[0], days[1][known])
    for part in ("predictors", "outcomes"):
        expected = getattr(straight, part).iloc[known].reset_index(drop=True)
        pd.testing.assert_frame_equal(getattr(back, part), expected, check_dtype=False, rtol=1e-12)
    for name, before in straight.days_before.items():
        np.testing.assert_array_equal(back.days_before[name], before[known])


@pytest.mark.parametrize("out", ["local.csv", "local.parquet"])
def test_only_the_owner_may_read_it_and_the_command_says_what_it_holds(
    patient: Body, here: Path, out: str
) -> None:
    kept((patient, MILD))
    before = os.umask(0)
    try:
        said = words(export(out))
    finally:
        os.umask(before)
    assert stat.S_IMODE((here / out).stat().st_mode) == 0o600
    assert f"{out}: 1 patients with reported outcomes" in said
    assert "it holds patients' data in clear; only its owner may read it" in said
    assert "what is erased in the log stays in it" in said


@pytest.mark.parametrize("spelt", [str.upper, lambda id: f"{{{id.replace('-', '')}--}}"])
def test_an_id_may_be_spelt_as_the_service_took_it(
    patient: Body, spelt: Callable[[str], str]
) -> None:
    """One report that was sent in upper case shut everybody's outcomes in the log for good."""
    kept((patient, {"crs_grade": 3}), spelt=spelt)
    result = export()
    assert result.exit_code == 0, result.output
    assert cohort("local.csv").outcomes["severe_crs"].tolist() == [1.0]


def test_a_patient_is_named_by_the_logs_pseudonym_or_by_a_number(patient: Body) -> None:
    other = {**patient, "age": {"value": 51, "unit": "a"}}
    third = {**patient, "age": {"value": 52, "unit": "a"}, "reference": "anna"}
    kept(({**patient, "reference": "anna"}, MILD), (other, MILD), (third, MILD))
    said = words(export())
    table = pd.read_csv("local.csv", dtype=str)
    assert list(table["age_years"]) == ["51.0", "52.0"]
    number, pseudonym = table["patient_id"]
    assert number == "row-1"
    assert len(pseudonym) == 32
    assert "anna" not in Path("local.csv").read_text("utf-8")
    assert "1 came without a reference: whoever was assessed twice" in said


def test_a_copy_under_no_name_counts_once_by_its_last_report(patient: Body) -> None:
    """The contract refuses a table that holds one."""
    kept((patient, MILD), (patient, {"crs_grade": 3}))
    said = words(export())
    assert "left out: 1 patients with the very values of another one" in said
    assert cohort("local.csv").outcomes["severe_crs"].tolist() == [1.0]


def test_a_mild_grade_of_a_patient_still_observed_is_left_empty(patient: Body) -> None:
    kept((patient, {"crs_grade": 3, "icans_grade": 1, "follow_up_days": 9}))
    assert export().exit_code == 0
    outcomes = cohort("local.csv").outcomes
    assert outcomes["severe_crs"].tolist() == [1.0]
    assert outcomes["severe_icans"].isna().all()


@pytest.mark.parametrize(
    ("infusion", "follow_up", "why"),
    [
        ("1999-01-01", 28, "with an infusion_date before 2009-01-01"),
        ("2099-01-01", 28, "with an infusion_date after today"),
        ("2026-03-10", 3660, "whose follow-up had not passed when it was reported"),
    ],
)
def test_dates_that_cannot_be_leave_one_out_and_not_the_others(
    patient: Body, infusion: str, follow_up: int, why: str
) -> None:
    undated = {n: v for n, v in patient.items() if n != "crp"}
    odd = {**undated, "infusion_date": infusion}
    kept((odd, {**MILD, "follow_up_days": follow_up}), (patient, MILD))
    result = export()
    assert result.exit_code == 0
    assert len(cohort("local.csv")) == 1
    assert f"left out: 1 assessments {why}" in words(result)


def test_whom_the_contract_alone_refuses_is_left_out_with_its_words(patient: Body) -> None:
    """As where limits were moved between the assessment and the export."""
    request = read_patient(patient)
    outcome = ReportedOutcome(UUID(int=1), MILD, 28)
    when = datetime(2026, 5, 1, tzinfo=UTC)
    fits = AssessedPatient((UUID(int=2),), "a", request, date(2026, 3, 10), outcome, when)
    beyond = replace(request, values={**request.values, "albumin": 1e6})
    odd = replace(fits, assessments=(UUID(int=3),), pseudonym="b", request=beyond)
    made = reported_cohort(AssessedPatients((fits, odd), {}), SITE)
    assert list(made.table["patient_id"]) == ["a"]
    assert made.assessments == {UUID(int=2)}
    ((reason, count),) = made.patients_left_out.items()
    assert count == 1
    assert "albumin_g_l: must lie between" in reason
    with pytest.raises(NothingToExport, match="albumin_g_l: must lie between"):
        reported_cohort(AssessedPatients((odd,), {}), SITE)


def test_who_was_erased_is_not_in_it(patient: Body) -> None:
    other = {**patient, "age": {"value": 51, "unit": "a"}}
    kept(({**patient, "reference": "anna"}, MILD), ({**other, "reference": "berta"}, MILD))
    erased = CliRunner().invoke(app, ["log-erase"], input="anna\n")
    assert erased.exit_code == 0
    assert export().exit_code == 0
    assert pd.read_csv("local.csv")["age_years"].tolist() == [51.0]


def test_only_patients_since_a_day_may_be_asked_for(patient: Body) -> None:
    """Whoever had a hand in a version must not judge it: the file of the next year begins later."""
    later = {**patient, "infusion_date": "2026-03-11"}
    kept((patient, MILD), (later, {"crs_grade": 3}))
    said = words(export("local.csv", "--since", "2026-03-11"))
    assert "1 patients with reported outcomes" in said
    assert "left out: 1 patients infused before --since" in said
    assert cohort("local.csv").outcomes["severe_crs"].tolist() == [1.0]


# ---- What the log keeps of an export -------------------------------------------------------------


def exported() -> list[list[str]]:
    """Return the assessments of every export that the log tells of."""
    with sqlite3.connect("log/assessments.sqlite") as log:
        rows = log.execute("SELECT answer FROM entry WHERE kind = 'export' ORDER BY position")
        return [json.loads(said)["exported"] for (said,) in rows]


def assessments() -> list[str]:
    with sqlite3.connect("log/assessments.sqlite") as log:
        rows = log.execute("SELECT id FROM entry WHERE kind = 'assessment' ORDER BY position")
        return [str(UUID(bytes=id)) for (id,) in rows]


def erase(reference: str) -> str:
    return words(CliRunner().invoke(app, ["log-erase"], input=f"{reference}\n"))


def test_the_log_tells_which_assessments_left_it(patient: Body) -> None:
    older = {**patient, "age": {"value": 51, "unit": "a"}}
    copy_of_older = {**older, "infusion_date": patient["infusion_date"]}
    kept((older, MILD), (patient, MILD), (copy_of_older, MILD), (patient, {}))
    assert export().exit_code == 0
    _, mild, last, _ = assessments()
    assert exported() == [sorted([mild, last])]
    verified = run("verify-log")
    assert verified.exit_code == 0, verified.output


def test_who_erases_a_patient_is_told_of_the_files_that_hold_the_patient(patient: Body) -> None:
    other = {**patient, "age": {"value": 51, "unit": "a"}}
    third = {**patient, "age": {"value": 52, "unit": "a"}}
    kept(({**patient, "reference": "anna"}, MILD), ({**other, "reference": "berta"}, MILD))
    assert export().exit_code == 0
    kept(({**third, "reference": "carla"}, MILD))
    assert "exported" not in erase("carla")
    assert "exported some of it on 20" in erase("anna")
    assert export("second.csv").exit_code == 0
    assert erase("berta").count("exported some of it") == 2
    assert run("verify-log").exit_code == 0


def test_who_was_erased_before_is_named_by_the_id_but_not_by_the_reference(patient: Body) -> None:
    kept(({**patient, "reference": "anna"}, MILD))
    assert export().exit_code == 0
    (id,) = assessments()
    assert "exported some of it on 20" in erase("anna")
    assert "only its id, not its reference, still tells which files" in erase("anna")
    again = run("log-erase", "--assessment", id)
    assert again.exit_code == 1
    assert words(again).count("exported some of it on 20") == 1


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_without_its_row_in_the_log_there_is_no_file(
    patient: Body, here: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    kept((patient, MILD))

    def full(*_: object) -> None:
        raise LogRefused("the disk is full")

    monkeypatch.setattr(exports, "note_export", full)
    result = export(f"local{suffix}")
    assert result.exit_code == 1
    assert "the disk is full" in words(result)
    assert [*here.glob("*local*"), *here.glob(".*local*")] == []


# ---- What cannot be exported ---------------------------------------------------------------------

Refused = Callable[..., str]


@pytest.fixture
def refused(here: Path) -> Refused:
    """Return what is said, once nothing was left behind."""

    def said(result: Result) -> str:
        assert result.exit_code == 1, result.output
        assert "Traceback" not in result.output
        assert list(here.glob("*local*")) == list(here.glob(".*local*")) == []
        return words(result)

    return said


def test_requests_kept_as_hashes_are_refused_with_the_remedy(
    patient: Body, refused: Refused
) -> None:
    kept((patient, MILD), inputs="hash")
    said = refused(export())
    assert "CART_RISK_LOG_INPUTS=hash" in said
    assert "set to encrypted" in said


def test_a_log_without_outcomes_says_where_they_are_reported(
    patient: Body, refused: Refused
) -> None:
    kept((patient, {}))
    assert "POST /v1/outcomes first" in refused(export())


def test_reasons_are_told_where_nobody_is_left(patient: Body, refused: Refused) -> None:
    kept(({**patient, "age": "unknown"}, MILD), (patient, {"crs_grade": 1, "follow_up_days": 3}))
    said = refused(export())
    assert "- of unknown age" in said
    assert "- whose outcome is not known yet" in said


def test_without_the_site_key_nothing_is_read(patient: Body, refused: Refused) -> None:
    kept((patient, MILD))
    Path("log/site.key").unlink()
    assert "cart-risk log-key" in refused(export())


@pytest.mark.parametrize(
    ("out", "said"),
    [("local.xlsx", "a .parquet or a .csv file"), ("nowhere/local.csv", "no such directory")],
)
def test_another_kind_of_place_is_refused_before_the_log_is_opened(
    refused: Refused, out: str, said: str
) -> None:
    assert said in refused(export(out))


def test_a_site_without_a_name_is_refused_by_the_contract(patient: Body, refused: Refused) -> None:
    kept((patient, MILD))
    result = run("log-cohort", "--out", "local.csv", "--site", " ")
    assert "site must be known" in refused(result)


def test_no_message_repeats_a_value_or_a_reference(patient: Body) -> None:
    kept(({**patient, "reference": "anna-1951", "age": "unknown"}, MILD), (patient, MILD))
    said = export().output
    for secret in ("anna-1951", "1850", "axicabtagene", "2026-03-10"):
        assert secret not in said
