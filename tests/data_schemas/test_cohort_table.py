"""A cohort is read whole or refused with every violation, by row and column, without a value."""

import datetime as dt
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.cohort_table import (
    Cohort,
    CohortRefused,
    Purpose,
    Violation,
    predictor_columns,
    read_cohort,
)
from data_schemas.outcomes import OUTCOMES, Outcome
from data_schemas.patient_request import read_patient
from data_schemas.predictors import DERIVED, NEVER_PREDICTORS, PREDICTORS, Category, Flag, Quantity

QUANTITIES = {name: d for name, d in PREDICTORS.items() if isinstance(d, Quantity)}
CRS, ICANS = OUTCOMES["severe_crs"], OUTCOMES["severe_icans"]
HLH = Outcome(name="hlh", label="HLH", definition="-", horizon_days=60, reference="-")
CANARY = "Xq7Canary"
NUMBER = 48151623.42
N = 13
TODAY = dt.date(2026, 6, 1)
develop = partial(read_cohort, purpose=Purpose.DEVELOPMENT, today=TODAY)


def table(**columns: object) -> pd.DataFrame:
    """Thirteen invented patients of a lymphoma unit, with columns replaced or added."""
    return pd.DataFrame(
        {
            "patient_id": [f"P{i:02}" for i in range(N)],
            "site": ["north"] * 7 + ["south"] * 6,
            "infusion_date": "2026-03-12",
            "product": ["axi-cel"] * 7 + ["Breyanzi"] * 6,
            "disease": "LBCL",
            "age_years": np.arange(50, 50 + N),
            "crp_mg_l": np.arange(N) * 7.0,
            "bulky_disease": ["yes", "no", None] * 4 + ["no"],
            "crs_grade": [0, 1, 2, 3, 4, 5, None, 0, 0, 0, 0, 0, 0],
            "grading_scale": "ASTCT 2019",
        }
        | columns
    )


def first(value: object, others: object = None) -> list[object]:
    return [value] + [others] * (N - 1)


def read(given: Path | pd.DataFrame) -> Cohort:
    return develop(given, outcomes=[CRS])


def violations_of(given: Path | pd.DataFrame, *outcomes: Outcome) -> list[Violation]:
    with pytest.raises(CohortRefused) as caught:
        develop(given, outcomes=outcomes or [CRS])
    assert caught.value.rules == {violation.rule for violation in caught.value.violations}
    return list(caught.value.violations)


def only(violations: list[Violation]) -> tuple[str, str, tuple[int, ...]]:
    (violation,) = violations
    return violation.column, violation.rule, violation.rows


# ---- what is read


def test_a_table_becomes_predictors_outcomes_site_and_date() -> None:
    cohort = read(table())
    assert len(cohort) == N
    assert cohort.patient_id.tolist() == [f"P{i:02}" for i in range(N)]
    assert cohort.site.tolist() == ["north"] * 7 + ["south"] * 6
    assert set(cohort.infusion_date) == {pd.Timestamp("2026-03-12")}
    assert list(cohort.predictors) == list(cohort.columns()) == list(PREDICTORS)
    assert cohort.predictors["product"].tolist() == (
        ["axicabtagene_ciloleucel"] * 7 + ["lisocabtagene_maraleucel"] * 6
    )
    assert cohort.columns()["age"].tolist() == list(range(50, 50 + N))
    assert not cohort.synthetic
    assert cohort.notices == ()
    assert cohort.days_before == {}


def test_predictors_are_numbers_or_words_and_missing_is_nan_or_none() -> None:
    predictors = read(table(sex=first(None, "female"))).predictors
    for name, declared in PREDICTORS.items():
        kind = object if isinstance(declared, Category) else float
        assert predictors[name].dtype == kind, name
    assert predictors["sex"].tolist() == [None] + ["female"] * (N - 1)
    assert predictors["ferritin"].isna().all()
    assert predictors["bridging"].tolist() == [None] * N


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_both_formats_give_the_same_cohort(tmp_path: Path, suffix: str) -> None:
    """In particular "none" is a word, not a missing value, and <5 stays text."""
    given = table(bridging=first("none", "chemo"), ferritin_ug_l=first("<5", "400"))
    file = tmp_path / f"cohort{suffix}"
    given.to_csv(file, index=False) if suffix == ".csv" else given.to_parquet(file)
    cohort = read(file)
    assert cohort.predictors["bridging"].tolist() == ["none"] + ["chemo"] * (N - 1)
    assert cohort.fingerprint == read(given).fingerprint
    assert cohort.outcomes.equals(read(given).outcomes)


def test_a_column_in_another_unit_is_converted() -> None:
    crp = table().pop("crp_mg_l")
    other = table(crp_mg_dl=crp / 10).drop(columns="crp_mg_l")
    assert read(other).predictors["crp"].tolist() == crp.tolist()
    fahrenheit = read(table(temperature_degf=first(98.6))).predictors["temperature"]
    assert fahrenheit[0] == 37
    assert fahrenheit[1:].isna().all()


@given(st.sampled_from(sorted(QUANTITIES)), st.floats(0, 1), st.data())
def test_a_table_and_a_request_read_the_same_number(
    name: str, share: float, data: st.DataObject
) -> None:
    """What a model learns from is what it will be asked with, to the last bit."""
    declared = QUANTITIES[name]
    column, unit = data.draw(st.sampled_from(sorted(declared.columns(name).items())))
    rule = declared.conversions[unit]
    low, high = ((limit - float(rule.offset)) / float(rule.factor) for limit in declared.hard)
    sent = round(low + (0.01 + 0.98 * share) * (high - low), 0 if declared.whole else 6)
    body = {"product": "axi-cel", "disease": "LBCL", "age": {"value": 64, "unit": "a"}}
    asked = read_patient(body | {name: {"value": sent, "unit": unit}}).measurements[name].value
    row = {"patient_id": ["P"], "product": ["axi-cel"], "disease": ["LBCL"], column: [sent]}
    assert asked == read_cohort(pd.DataFrame(row), Purpose.SCORING).predictors[name][0]


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "object", "string"])
def test_numbers_are_numbers_in_every_column_type(dtype: str) -> None:
    cohort = read(table(ferritin_ng_ml=pd.array(first(400), dtype=dtype)))
    assert cohort.predictors["ferritin"].isna().tolist() == [False] + [True] * (N - 1)
    assert cohort.predictors["ferritin"][0] == 400


@pytest.mark.parametrize(
    ("yes", "no"), [("yes", "no"), ("Yes ", " NO"), (True, False), (1, 0), (1.0, 0.0), ("1", "0")]
)
def test_flags_are_read_from_yes_and_no_in_every_form(yes: object, no: object) -> None:
    given = [yes, no, None] + ["unknown" if isinstance(yes, str) else None] * (N - 3)
    flags = read(table(diabetes=given)).predictors["diabetes"]
    assert flags[:2].tolist() == [1, 0]
    assert flags[2:].isna().all()


def test_half_of_a_detection_limit_is_used_and_said() -> None:
    """Below 0.4 mg/dL is taken as 0.2 mg/dL, that is 2 mg/L."""
    given = table(crp_mg_dl=["<0.4", " < 5 ", *["5"] * (N - 2)]).drop(columns="crp_mg_l")
    cohort = read(given)
    assert cohort.predictors["crp"][:3].tolist() == [2, 25, 50]
    assert cohort.notices == ("crp_mg_dl: 2 censored, half the limit used",)


@pytest.mark.parametrize(
    ("column", "given", "other"),
    [
        ("prior_lines", "<4", "1"),
        ("ecog", "<4", "1"),
        ("age_years", "<18", "64"),
        ("lvef_pct", "<40", "60"),
        ("sbp_mmhg", "<100", "120"),
        ("bmi_kg_m2", "<25", "22"),
        ("cognitive_score", "<26", "28"),
        ("hemoglobin_g_l", "<80", "98"),
        ("ldh_u_l", "<250", "480"),
        ("marrow_blast_pct", "<5", "40"),
    ],
)
def test_half_of_a_limit_stands_for_nothing_that_no_assay_limits(
    column: str, given: str, other: str
) -> None:
    """Half of "<4" would turn a grade that may be 3 into 2, half of "<18" a child of 17 into 9."""
    (violation,) = violations_of(table(**{column: first(given, other)}))
    assert (violation.column, violation.rule, violation.rows) == (column, "not_a_number", (1,))
    assert "write what was measured, without < or >" in violation.message


@pytest.mark.parametrize("sign", [">", "> ", ">=", "≥"])
def test_above_what_the_assay_measures_its_limit_is_used_and_said(sign: str) -> None:
    cohort = read(table(ferritin_ug_l=[f"{sign}15000", f" {sign}9000", *["400"] * (N - 2)]))
    assert cohort.predictors["ferritin"][:3].tolist() == [15000, 9000, 400]
    assert cohort.notices == ("ferritin_ug_l: 2 censored, the limit used",)


@pytest.mark.parametrize("sign", ["<=", "≤"])
def test_at_most_the_detection_limit_is_that_limit(sign: str) -> None:
    """As of a FHIR Observation."""
    cohort = read(table(ferritin_ug_l=[f"{sign}8", "<8", *["400"] * (N - 2)]))
    assert cohort.predictors["ferritin"][:2].tolist() == [8, 4]
    assert cohort.notices == (
        "ferritin_ug_l: 1 censored, half the limit used",
        "ferritin_ug_l: 1 censored, the limit used",
    )


@pytest.mark.parametrize(
    ("column", "given", "other"), [("age_years", ">89", "64"), ("lvef_pct", ">55", "60")]
)
def test_a_limit_stands_for_nothing_that_no_assay_limits(
    column: str, given: str, other: str
) -> None:
    (violation,) = violations_of(table(**{column: first(given, other)}))
    assert (violation.column, violation.rule, violation.rows) == (column, "not_a_number", (1,))
    assert "write what was measured, without < or >" in violation.message


def test_of_a_limit_of_normal_the_limit_itself_is_asked_for() -> None:
    """Half of it would double every LDH that is read as a multiple of it."""
    (violation,) = violations_of(table(ldh_uln_u_l=first("<250", "240"), ldh_u_l=480))
    assert violation.rows == (1,)
    assert violation.message == "must be numbers: write the limit itself, without < or >"


def test_severe_is_grade_three_or_more_and_missing_stays_missing() -> None:
    severe = read(table()).outcomes["severe_crs"]
    assert severe[:6].tolist() == [0, 0, 0, 1, 1, 1]
    assert np.isnan(severe[6])


def test_several_outcomes_are_read_together() -> None:
    given = table(icans_grade=first(4, 1), outcome_hlh=first("yes", "no"))
    outcomes = develop(given, outcomes=[CRS, ICANS, HLH]).outcomes
    assert list(outcomes) == ["severe_crs", "severe_icans", "hlh"]
    assert outcomes.iloc[0].tolist() == [0, 1, 1]
    assert outcomes.iloc[1].tolist() == [0, 0, 0]


def test_a_graded_outcome_may_come_as_yes_or_no_without_a_scale() -> None:
    given = table(outcome_severe_crs=first("yes", "no"))
    cohort = read(given.drop(columns=["crs_grade", "grading_scale"]))
    assert cohort.outcomes["severe_crs"].tolist() == [1] + [0] * (N - 1)


def test_yes_or_no_completes_a_missing_grade() -> None:
    """Row 7 has no grade; agreeing elsewhere is no contradiction."""
    for word, expected in (("yes", 1.0), ("no", 0.0), (None, np.nan)):
        said = ["no", None, "no", "yes", "yes", None, word] + [None] * 6
        severe = read(table(outcome_severe_crs=said)).outcomes["severe_crs"]
        alone = read(table()).outcomes["severe_crs"]
        np.testing.assert_array_equal(severe.iloc[6], expected)
        assert severe.drop(index=6).equals(alone.drop(index=6))


def test_optional_outcomes_are_read_where_the_table_has_them() -> None:
    def outcomes(given: pd.DataFrame) -> pd.DataFrame:
        return develop(given, outcomes=[CRS], optional=[ICANS]).outcomes

    assert list(outcomes(table())) == ["severe_crs"]
    graded = outcomes(table(icans_grade=first(4, 0)))
    assert graded["severe_icans"].tolist() == [1.0] + [0.0] * (N - 1)
    flagged = outcomes(table(outcome_severe_icans=first("yes")))
    assert flagged["severe_icans"].dropna().tolist() == [1.0]
    assert list(graded) == list(flagged) == ["severe_crs", "severe_icans"]


def test_an_optional_outcome_must_be_right_where_it_is_given() -> None:
    with pytest.raises(CohortRefused) as caught:
        develop(table(icans_grade=first(9, 0)), outcomes=[CRS], optional=[ICANS])
    assert only(list(caught.value.violations)) == ("icans_grade", "outside_limits", (1,))


def test_measurements_are_placed_in_days_before_infusion() -> None:
    cohort = read(table(crp_measured_at=["2026-03-05", "2026-03-12T08:00", *[None] * (N - 2)]))
    days = cohort.days_before["crp"]
    assert days[:2].tolist() == [7, 0]
    assert np.isnan(days[2:]).all()


@pytest.mark.parametrize(
    "given",
    [
        "2026-03-12",
        "20260312",
        20260312,
        "2026-03-12T09:30:00-11:00",
        dt.date(2026, 3, 12),
        pd.Timestamp("2026-03-12"),
        pd.Timestamp("2026-03-12", tz="Europe/Berlin"),
        pd.Timestamp("2026-03-12T23:00", tz="America/Chicago"),
    ],
)
def test_a_date_is_the_day_its_own_clock_showed(given: object) -> None:
    cohort = read(table(infusion_date=given, crp_measured_at="2026-03-12"))
    assert {d.date() for d in cohort.infusion_date} == {dt.date(2026, 3, 12)}
    assert set(cohort.days_before["crp"]) == {0}


def test_known_columns_that_no_model_reads_are_passed_over_and_named() -> None:
    extra = dict.fromkeys((*DERIVED, *NEVER_PREDICTORS), "x")
    cohort = read(table(**extra))
    assert len(cohort.notices) == len(extra)
    assert all(any(text.startswith(name) for text in cohort.notices) for name in extra)
    assert cohort.fingerprint == read(table()).fingerprint


def test_what_happened_but_is_not_asked_for_is_said_to_be_unchecked() -> None:
    given = table(icans_grade=first(9, 0), outcome_hlh="perhaps", outcome_severe_crs="no")
    given["crs_grade"] = 0
    assert read(given).notices == (
        "icans_grade: its outcome is not asked for; the column is neither read nor checked",
        "outcome_hlh: its outcome is not asked for; the column is neither read nor checked",
    )
    assert read_cohort(given, Purpose.SCORING).notices == ()
    asked = develop(given.drop(columns="icans_grade"), outcomes=[CRS], optional=[ICANS])
    assert len(asked.notices) == 1


def test_scoring_needs_neither_site_nor_date_nor_age_nor_outcome() -> None:
    given = table(crp_mg_l=np.nan)[["patient_id", "product", "disease", "crp_mg_l"]]
    cohort = read_cohort(given, Purpose.SCORING)
    assert len(cohort) == N
    assert set(cohort.site) == {""}
    assert cohort.infusion_date.isna().all()
    assert cohort.predictors["age"].isna().all()
    assert cohort.outcomes.empty


def test_scoring_accepts_a_site_date_or_age_that_is_missing_for_some() -> None:
    given = table(site=first(None, "north"), infusion_date=None, age_years=first(None, 50))
    cohort = read_cohort(given, Purpose.SCORING)
    assert cohort.site[:2].tolist() == ["", "north"]


@pytest.mark.parametrize("column", ["patient_id", "site"])
@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_is_no_patient_and_no_centre(column: str, blank: str) -> None:
    given = table()
    given.loc[[2, 4], column] = blank
    assert only(violations_of(given)) == (column, "required", (3, 5))


def test_spaces_around_a_word_make_neither_another_patient_nor_another_centre() -> None:
    given = table()
    given.loc[1, "patient_id"] = f" {given.loc[0, 'patient_id']}"
    assert only(violations_of(given)) == ("patient_id", "duplicated_patient", (1, 2))
    spaced = table()
    spaced["site"] += " "
    assert set(read(spaced).site) == {"north", "south"}


def test_the_index_of_a_table_means_nothing() -> None:
    shifted = table()
    shifted.index = pd.Index(range(100, 100 + N))
    assert read(shifted).fingerprint == read(table()).fingerprint
    assert only(violations_of(shifted.assign(age_years=first(200, 50))))[2] == (1,)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, False), (False, False), ("no", False), (0, False), (True, True), ("yes", True)],
)
def test_a_cohort_says_whether_it_is_synthetic(given: object, expected: bool) -> None:
    assert read(table(synthetic=given)).synthetic is expected


def test_one_synthetic_patient_makes_the_cohort_synthetic() -> None:
    assert read(table(synthetic=first(True, False))).synthetic


def test_missing_predictors_are_completed() -> None:
    columns = predictor_columns({"crp": np.array([1.0, 2.0])}, 2)
    assert list(columns) == list(PREDICTORS)
    assert columns["crp"].tolist() == [1, 2]
    assert np.isnan(columns["ldh"]).tolist() == [True, True]
    assert np.isnan(columns["diabetes"]).tolist() == [True, True]
    assert columns["sex"].tolist() == [None, None]


def test_a_patient_under_another_identifier_is_found_by_the_values() -> None:
    """Else a copy would be judged by a model that has seen the patient."""
    measured = {name: np.arange(N) + 200.0 for name in ("ferritin_ng_ml", "ldh_u_l")}
    measured |= {"platelets_10e9_l": np.arange(N) + 50.0, "anc_10e9_l": np.arange(N) / 10 + 1}
    given = table(**measured)
    copied = pd.concat([given, given.iloc[[3]].assign(patient_id="another")], ignore_index=True)
    assert only(violations_of(copied)) == ("(rows)", "duplicated_row", (4, 14))
    other_day = copied.assign(infusion_date=["2026-03-12"] * N + ["2026-03-13"])
    assert len(read(other_day)) == N + 1
    few = [*measured][1:]
    assert len(read(copied.drop(columns=few))) == N + 1


# ---- fingerprint


def test_the_fingerprint_does_not_depend_on_the_order_of_columns() -> None:
    assert read(table()).fingerprint == read(table()[sorted(table())]).fingerprint


def test_the_fingerprint_does_not_depend_on_the_order_of_patients() -> None:
    """Else a model would be judged by its own patients, once somebody has sorted the file."""
    assert read(table().iloc[::-1]).fingerprint == read(table()).fingerprint


def test_the_fingerprint_keeps_the_values_of_a_patient_together() -> None:
    exchanged = table(crp_mg_l=np.arange(N)[::-1] * 7.0)
    assert read(exchanged).fingerprint != read(table()).fingerprint


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("crp_mg_l", 7.000000000000001),
        ("crp_mg_l", np.nan),
        ("product", "liso-cel"),
        ("bulky_disease", "yes"),
        ("crs_grade", 3),
        ("site", "south"),
    ],
)
def test_the_fingerprint_changes_with_any_value(column: str, value: object) -> None:
    changed = table()
    changed.loc[1, column] = value
    assert read(changed).fingerprint != read(table()).fingerprint


def test_the_fingerprint_does_not_depend_on_the_order_of_outcomes() -> None:
    given = table(icans_grade=first(4, 1))
    one, other = (develop(given, outcomes=o) for o in ([CRS, ICANS], [ICANS, CRS]))
    assert one.fingerprint == other.fingerprint


def test_an_outcome_that_was_only_read_along_is_no_part_of_the_fingerprint() -> None:
    """Else a model that was fitted with it would not know its own patients without it."""
    given = table(icans_grade=first(4, 1))
    along = develop(given, outcomes=[CRS], optional=[ICANS])
    assert "severe_icans" in along.outcomes
    alone = develop(given.drop(columns="icans_grade"), outcomes=[CRS])
    assert along.fingerprint == alone.fingerprint


def test_patients_have_an_order_of_their_own() -> None:
    given = table(crp_measured_at=[f"2026-03-0{1 + i % 7}" for i in range(N)])
    one, other = (read(t).in_lasting_order() for t in (given, given.iloc[::-1]))
    for name in ("predictors", "outcomes"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))
    for name in ("patient_id", "site", "infusion_date"):
        pd.testing.assert_series_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.days_before["crp"], other.days_before["crp"])
    assert sorted(one.patient_id) == sorted(given["patient_id"])
    by_patient = dict(zip(given["patient_id"], given["crp_mg_l"], strict=True))
    assert [by_patient[i] for i in one.patient_id] == one.predictors["crp"].tolist()


def test_the_fingerprint_is_of_the_meaning_not_of_the_spelling() -> None:
    crp = table().pop("crp_mg_l")
    respelt = table(product=["YESCARTA"] * 7 + ["liso-cel"] * 6, crp_mg_dl=crp / 10)
    assert read(respelt.drop(columns="crp_mg_l")).fingerprint == read(table()).fingerprint


# ---- what is refused


def test_a_column_without_its_unit_is_refused() -> None:
    """The columns that would be right are named."""
    violations = violations_of(table(ferritin=400))
    assert only(violations) == ("ferritin", "no_unit", ())
    assert "ferritin_ng_ml, ferritin_ug_l" in str(violations[0])


def test_two_units_for_one_predictor_are_refused() -> None:
    violations = violations_of(table(crp_mg_dl=1.0))
    assert only(violations) == ("crp_mg_l, crp_mg_dl", "two_units", ())


@pytest.mark.parametrize(
    ("column", "suggestion"),
    [
        ("crp_mgl", "crp_mg_l"),
        ("patientid", "patient_id"),
        ("infusion_dat", "infusion_date"),
        ("CRP", "crp_mg_l or crp_mg_dl"),
        ("Ferritin", "ferritin_ng_ml"),
        ("LDH_ULN", "ldh_uln_u_l"),
    ],
)
def test_an_unknown_column_is_refused_with_a_suggestion(column: str, suggestion: str) -> None:
    violations = violations_of(table(**{column: 1}))
    assert only(violations) == (column, "unknown_column", ())
    assert f"did you mean {suggestion}" in violations[0].message


def test_a_column_like_no_other_is_refused_without_a_suggestion() -> None:
    violations = violations_of(table(zzz=1))
    assert only(violations) == ("zzz", "unknown_column", ())
    assert violations[0].message == (
        "not a column of the contract; if it holds a predictor, name it as `cart-risk columns` "
        "does, else leave it out"
    )


def test_a_column_name_that_stands_twice_is_refused() -> None:
    twice = pd.concat([table(), table()[["crp_mg_l"]]], axis=1)
    assert only(violations_of(twice)) == ("crp_mg_l", "duplicated_column", ())


def test_a_patient_in_two_rows_is_refused() -> None:
    ids = [f"P{i:02}" for i in range(N - 1)] + ["P03"]
    violations = violations_of(table(patient_id=ids))
    assert only(violations) == ("patient_id", "duplicated_patient", (4, 13))


def test_patients_without_an_id_are_not_called_the_same() -> None:
    ids = [None, None] + [f"P{i:02}" for i in range(N - 2)]
    assert only(violations_of(table(patient_id=ids))) == ("patient_id", "required", (1, 2))


@pytest.mark.parametrize(
    "column", ["patient_id", "site", "infusion_date", "product", "disease", "grading_scale"]
)
def test_a_required_column_is_missed(column: str) -> None:
    assert only(violations_of(table().drop(columns=column))) == (column, "required", ())


def test_a_missing_age_is_named_by_predictor_and_an_outcome_by_its_column() -> None:
    assert only(violations_of(table().drop(columns="age_years"))) == ("age", "required", ())
    assert only(violations_of(table().drop(columns="crs_grade"))) == ("crs_grade", "required", ())
    assert only(violations_of(table(), HLH)) == ("outcome_hlh", "required", ())


@pytest.mark.parametrize("column", ["patient_id", "site", "infusion_date", "product", "age_years"])
def test_a_required_value_is_missed_by_row(column: str) -> None:
    given = table()
    given[column] = given[column].astype(object)
    given.loc[2, column] = None
    assert only(violations_of(given)) == (column, "required", (3,))


def test_a_missing_value_is_reported_beside_a_wrong_one() -> None:
    violations = violations_of(table(age_years=[500, None, *[50] * (N - 2)]))
    found = [(violation.rule, violation.rows) for violation in violations]
    assert found == [("outside_limits", (1,)), ("required", (2,))]


@pytest.mark.parametrize("name", sorted(QUANTITIES))
def test_values_beyond_hard_limits_are_named_by_row_and_column(name: str) -> None:
    declared = QUANTITIES[name]
    column = next(iter(declared.columns(name)))
    low, high = declared.hard
    inside = [low, high] + [high] * (N - 4)
    violations = violations_of(table(**{column: [low - 1, high + 1, *inside]}))
    assert only(violations) == (column, "outside_limits", (1, 2))
    assert f"between {low:g} and {high:g} {declared.unit}" in violations[0].message


def test_limits_are_checked_after_conversion() -> None:
    """8.84 umol/L of creatinine are exactly the 0.1 mg/dL that are still read."""
    assert read(table(creatinine_umol_l=8.84)).predictors["creatinine"][0] == 0.1
    violations = violations_of(table(creatinine_mg_dl=88.4))
    assert only(violations) == ("creatinine_mg_dl", "outside_limits", tuple(range(1, N + 1)))


def test_limits_are_told_in_the_unit_that_was_sent_and_in_the_canonical_one() -> None:
    (violation,) = violations_of(table(creatinine_umol_l=first(3000, 80)))
    assert "must lie between 8.84 and 2210 umol/L (0.1 and 25 mg/dL)" in violation.message
    (violation,) = violations_of(table(temperature_degf=first(150, 98)))
    assert "must lie between 86 and 111.2 [degF] (30 and 44 Cel)" in violation.message
    (violation,) = violations_of(table(albumin_g_l=first(7, 38)))
    assert violation.message == "must lie between 8 and 70 g/L"
    (violation,) = violations_of(table(platelets_per_ul=first(-1, 80000)))
    assert "between 0 and 3000000 /uL (0 and 3000 10*9/L)" in violation.message


@pytest.mark.parametrize(
    ("column", "value", "side", "right"),
    [
        ("albumin_g_l", 3.8, "low", "albumin_g_dl"),
        ("albumin_g_dl", 38, "high", "albumin_g_l"),
        ("hemoglobin_g_l", 10, "low", "hemoglobin_g_dl or hemoglobin_mmol_l"),
        ("hemoglobin_g_dl", 98, "high", "hemoglobin_g_l"),
        ("creatinine_mg_dl", 80, "high", "creatinine_umol_l"),
        ("creatinine_umol_l", 0.9, "low", "creatinine_mg_dl"),
        ("ldh_u_l", 4, "low", "ldh_ukat_l"),
        ("platelets_10e9_l", 150000, "high", "platelets_per_ul"),
        ("platelets_per_ul", 7e6, "high", None),
        ("fibrinogen_g_l", 350, "high", "fibrinogen_mg_dl"),
        ("temperature_c", 98.6, "high", "temperature_degf"),
        ("albumin_g_l", 200, "high", None),
        ("ldh_u_l", 0.01, "low", None),
        ("crp_mg_dl", 150, "high", "crp_mg_l"),
        ("crp_mg_dl", 900, "high", None),
        ("crp_mg_dl", 999, "high", None),
        ("creatinine_umol_l", 1.2, "low", "creatinine_mg_dl"),
    ],
)
def test_the_unit_that_would_explain_a_refused_value_is_told_for_its_side(
    column: str, value: float, side: str, right: str | None
) -> None:
    given = table().drop(columns="crp_mg_l").assign(**{column: first(value, np.nan)})
    (violation,) = violations_of(given)
    assert violation.rule == "outside_limits"
    other_side = {"low": "high", "high": "low"}[side]
    assert f"too {other_side}" not in violation.message
    assert "probably" not in violation.message
    if right is None:
        assert "name the column" not in violation.message
    else:
        assert f"what is too {side} would be usual in" in violation.message
        assert f"name the column {right} if" in violation.message


def test_one_value_again_and_again_is_a_code_and_no_unit() -> None:
    (violation,) = violations_of(table(hemoglobin_g_dl=[98, 98, 98] + [9.8] * (N - 3)))
    assert "name the column" not in violation.message
    (violation,) = violations_of(table(hemoglobin_g_dl=[98, 99, 98] + [9.8] * (N - 3)))
    assert "name the column hemoglobin_g_l" in violation.message


def test_what_a_note_says_of_neither_side_stays_in_the_refusal() -> None:
    (violation,) = violations_of(table(ecog=first(90, 1)))
    assert "Karnofsky 100-90 is 0" in violation.message


@pytest.mark.parametrize("value", ["high", "", ">", "<", "<<5", "<>5", "1,5", "nan", True])
def test_text_is_no_number(value: object) -> None:
    violations = violations_of(table(ferritin_ng_ml=first(value, "400")))
    assert only(violations) == ("ferritin_ng_ml", "not_a_number", (1,))


@pytest.mark.parametrize("value", [np.inf, -np.inf, "inf", 1e308, "1e308"])
def test_numbers_are_finite(value: object) -> None:
    others = "400" if isinstance(value, str) else 400.0
    violations = violations_of(table(ferritin_ug_l=first(value, others)))
    assert only(violations) == ("ferritin_ug_l", "not_a_number", (1,))


def test_yes_and_no_are_no_numbers() -> None:
    violations = violations_of(table(ferritin_ng_ml=[True, False] * 6 + [True]))
    assert only(violations) == ("ferritin_ng_ml", "not_a_number", ())


def test_scores_and_counts_are_whole_numbers() -> None:
    assert only(violations_of(table(ecog=first(1.5)))) == ("ecog", "not_whole", (1,))


@pytest.mark.parametrize("grade", [-1, 6, 2.5])
def test_a_grade_is_a_whole_number_from_0_to_5(grade: float) -> None:
    violations = violations_of(table(crs_grade=first(grade, 1)))
    assert only(violations) == ("crs_grade", "outside_limits", (1,))


@pytest.mark.parametrize("name", [n for n, d in PREDICTORS.items() if not isinstance(d, Quantity)])
def test_a_word_that_is_no_choice_is_named_by_row(name: str) -> None:
    declared = PREDICTORS[name]
    known = "yes" if isinstance(declared, Flag) else declared.choices[0]
    violations = violations_of(table(**{name: first("perhaps", known)}))
    assert only(violations) == (name, "not_a_choice", (1,))
    assert known in violations[0].message


def test_unknown_where_it_is_no_word_of_the_contract_is_an_empty_cell() -> None:
    (violation,) = violations_of(table(ld_regimen=first("unknown", "flu_cy")))
    assert violation.message.endswith("leave the cell empty where it is not known")
    (violation,) = violations_of(table(ld_regimen=first("perhaps", "flu_cy")))
    assert "leave the cell empty" not in violation.message
    (violation,) = violations_of(table(disease=first("unknown", "LBCL")))
    assert "leave the cell empty" not in violation.message
    assert read_cohort(table(sex=first("unknown", "female")), Purpose.SCORING)


@pytest.mark.parametrize("column", ["synthetic", "outcome_hlh"])
def test_yes_or_no_is_not_guessed(column: str) -> None:
    given = table(**({"outcome_hlh": "no"} | {column: first("perhaps", "no")}))
    assert only(violations_of(given, HLH)) == (column, "not_a_choice", (1,))


@pytest.mark.parametrize("value", ["yesterday", "12.03.2026", "03/04/2026", 45000, "2026-02-30"])
@pytest.mark.parametrize("column", ["infusion_date", "crp_measured_at"])
def test_a_date_is_iso_8601_or_refused(column: str, value: object) -> None:
    """03/04/2026 is two different days on two continents; 45000 is a spreadsheet's own."""
    given = table(**{column: first(value, "2026-03-01")})
    assert only(violations_of(given)) == (column, "not_a_date", (1,))


@pytest.mark.parametrize(
    ("infusion", "measured"),
    [
        ("2026-03-12", "2026-03-13"),
        ("2026-03-12", "2026-03-13T00:00"),
        ("2026-03-12T10:00", "2026-03-12T10:00"),
        ("2026-03-12T10:00", "2026-03-12T15:00"),
    ],
)
def test_a_measurement_after_infusion_is_refused(infusion: str, measured: str) -> None:
    given = table(infusion_date=infusion, crp_measured_at=first(measured, "2026-03-11"))
    assert only(violations_of(given)) == ("crp_measured_at", "measured_after_infusion", (1,))


def test_dated_measurements_need_an_infusion_date() -> None:
    given = table(crp_measured_at="2026-03-11").drop(columns="infusion_date")
    with pytest.raises(CohortRefused) as caught:
        read_cohort(given, Purpose.SCORING)
    assert only(list(caught.value.violations)) == ("crp_measured_at", "no_infusion_date", ())


@pytest.mark.parametrize(
    ("day", "rule"),
    [
        ("1921-03-12", "before_first_infusions"),
        ("2008-12-31", "before_first_infusions"),
        ("2026-06-02", "in_the_future"),
        ("2062-03-12", "in_the_future"),
    ],
)
def test_an_infusion_lies_between_the_first_ones_and_today(day: str, rule: str) -> None:
    violations = violations_of(table(infusion_date=first(day, "2026-03-12")))
    assert only(violations) == ("infusion_date", rule, (1,))
    assert ("2009-01-01" if rule.startswith("before") else "2026-06-01") in violations[0].message
    assert "correct the" in violations[0].message
    assert day not in str(violations[0])


@pytest.mark.parametrize("day", ["2009-01-01", "2026-06-01", "2026-06-01T23:30"])
def test_infusions_of_the_first_and_of_this_day_are_read(day: str) -> None:
    assert len(read(table(infusion_date=first(day, "2026-03-12")))) == N


def test_patients_who_are_yet_to_be_infused_may_be_scored() -> None:
    planned = table(infusion_date="2062-03-12")
    assert len(read_cohort(planned, Purpose.SCORING, today=TODAY)) == N


def test_the_day_on_which_a_cohort_is_read_changes_nothing_of_it() -> None:
    now, later = read(table()), develop(table(), outcomes=[CRS], today=dt.date(2036, 1, 1))
    assert now.fingerprint == later.fingerprint
    assert now.notices == later.notices
    pd.testing.assert_series_equal(now.infusion_date, later.infusion_date)


@pytest.mark.parametrize("grade", ["Grade 3", "III", "3/4", "3,5", ">=3", "<4", "G3"])
def test_a_grade_in_words_is_told_how_to_write_it_and_not_to_leave_it_empty(grade: str) -> None:
    """An empty cell would be a patient less who had the outcome."""
    (violation,) = violations_of(table(crs_grade=first(grade, "1")))
    assert (violation.column, violation.rule, violation.rows) == ("crs_grade", "not_a_number", (1,))
    assert "write 3 for Grade 3 or III" in violation.message
    assert "say yes or no in outcome_severe_crs" in violation.message
    assert grade not in violation.message.replace("write 3 for Grade 3 or III", "")


def test_severe_or_not_stands_in_for_a_grade_that_is_not_known() -> None:
    given = table(crs_grade=first("", "1"), outcome_severe_crs=first("yes"))
    assert read(given.replace("", None)).outcomes["severe_crs"].tolist() == [1.0] + [0.0] * (N - 1)


def test_yes_or_no_may_not_contradict_the_grade() -> None:
    """Grades 2 and 3 lie on either side of severe; the message repeats neither."""
    said = ["no", "no", "yes", "no", "yes", "yes", "yes"] + [None] * 6
    violations = violations_of(table(outcome_severe_crs=said))
    assert only(violations) == ("outcome_severe_crs", "contradiction", (3, 4))
    assert "otherwise than crs_grade" in str(violations[0])


@pytest.mark.parametrize(
    ("scales", "rule", "rows"),
    [
        (["Penn"] * 2 + ["ASTCT"] * 11, "mixed_grading_scales", (1, 2)),
        (["Penn"] * N, "other_grading_scale", tuple(range(1, N + 1))),
        (["Lee 2014"] + ["Penn"] * 12, "other_grading_scale", tuple(range(1, N + 1))),
        (["ours", None] + ["ASTCT"] * 11, "unknown_scale", (1, 2)),
    ],
)
def test_grades_are_on_the_consensus_scale(
    scales: list[str], rule: str, rows: tuple[int, ...]
) -> None:
    violations = violations_of(table(grading_scale=scales))
    assert only(violations) == ("grading_scale", rule, rows)
    # Nothing here grades anew: whoever must do it by hand is told by which tables.
    tables = "Lee DW, Biol Blood Marrow Transplant 2019;25:625-638"
    assert (tables in str(violations[0])) == (rule != "unknown_scale")


def test_a_missing_scale_is_told_together_with_the_missing_grades() -> None:
    given = table().drop(columns=["crs_grade", "grading_scale"])
    found = {(v.column, v.rule) for v in violations_of(given)}
    assert found == {("crs_grade", "required"), ("grading_scale", "required")}


def test_a_wrong_scale_is_told_together_with_the_missing_grades() -> None:
    given = table(grading_scale="Penn").drop(columns="crs_grade")
    found = {(v.column, v.rule) for v in violations_of(given)}
    assert found == {("crs_grade", "required"), ("grading_scale", "other_grading_scale")}


def test_an_outcome_without_grades_needs_no_scale() -> None:
    given = table(outcome_hlh="no").drop(columns=["crs_grade", "grading_scale"])
    assert len(develop(given, outcomes=[HLH])) == N


def test_a_column_without_any_value_is_refused() -> None:
    assert only(violations_of(table(ldh_u_l=np.nan))) == ("ldh_u_l", "all_missing", ())
    assert only(violations_of(table(sex=None))) == ("sex", "all_missing", ())


def test_a_column_of_another_disease_may_be_empty() -> None:
    """Marrow blasts are a predictor in leukaemia only."""
    assert len(read(table(marrow_blast_pct=np.nan))) == N
    leukaemia = {"disease": "B_ALL", "product": "brexu-cel"}
    violations = violations_of(table(marrow_blast_pct=np.nan, **leukaemia))
    assert only(violations) == ("marrow_blast_pct", "all_missing", ())


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("missing.parquet", None, "no_such_file"),
        ("cohort.xlsx", b"PK", "unknown_format"),
        ("cohort", b"", "unknown_format"),
        ("corrupt.parquet", b"PAR1 but no more", "unreadable"),
        ("empty.parquet", b"", "unreadable"),
        ("empty.csv", b"", "unreadable"),
        ("binary.csv", b"\xff\xfe\x00\x81,\n", "not_utf8"),
        ("ragged.csv", b"a,b\n1,2\n1,2,3,Xq7Canary\n", "unreadable"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, name: str, content: bytes | None, rule: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    violations = violations_of(file)
    assert only(violations) == ("(file)", rule, ())
    assert CANARY not in str(violations[0])


def test_a_folder_is_no_cohort(tmp_path: Path) -> None:
    assert only(violations_of(tmp_path)) == ("(file)", "no_such_file", ())


# ---- all at once, and nothing repeated


def test_every_violation_is_reported_at_once() -> None:
    given = table(
        patient_id="P00",
        infusion_date=first("soon", "2026-03-12"),
        disease=first("gout", "LBCL"),
        age_years=first(500, 50),
        crp_mg_dl=1.0,
        ferritin=400,
        ecog=first(1.5),
        sex=first("x"),
        diabetes=first("perhaps"),
        ldh_u_l=np.nan,
        crp_measured_at=["2026-01-01", "2027-01-01", *[None] * 11],
        colour="blue",
        crs_grade=first(9, 1),
        grading_scale=first("Penn", "ASTCT"),
    ).drop(columns=["product", "site"])
    violations = violations_of(given, CRS, ICANS)
    assert {(violation.column, violation.rule) for violation in violations} == {
        ("patient_id", "duplicated_patient"),
        ("infusion_date", "not_a_date"),
        ("product", "required"),
        ("site", "required"),
        ("disease", "not_a_choice"),
        ("age_years", "outside_limits"),
        ("crp_mg_l, crp_mg_dl", "two_units"),
        ("ferritin", "no_unit"),
        ("ecog", "not_whole"),
        ("sex", "not_a_choice"),
        ("diabetes", "not_a_choice"),
        ("ldh_u_l", "all_missing"),
        ("crp_measured_at", "measured_after_infusion"),
        ("colour", "unknown_column"),
        ("crs_grade", "outside_limits"),
        ("icans_grade", "required"),
        ("grading_scale", "mixed_grading_scales"),
    }


def test_the_message_names_column_rule_and_rows() -> None:
    with pytest.raises(CohortRefused) as caught:
        read(table(age_years=first(500, 50), zzz=1))
    first_line, age, zzz = str(caught.value).splitlines()
    assert first_line == "the cohort was refused, nothing was read:"
    assert age.startswith("  - age_years: must lie between 0 and 110 a")
    assert age.endswith("[outside_limits; row 1]")
    assert zzz.startswith("  - zzz: not a column of the contract; if it holds a predictor, ")
    assert zzz.endswith("[unknown_column]")


def test_at_most_twenty_rows_are_named() -> None:
    violation = Violation("age_years", "required", "age must be known", tuple(range(1, 24)))
    assert str(violation).endswith("row " + ", ".join(map(str, range(1, 21))) + " and 3 more]")


_COLUMNS = [
    *("patient_id", "site", "infusion_date", "grading_scale", "synthetic", "crs_grade"),
    *("crp_measured_at", "sex_measured_at", "colour"),
    *(column for name, d in QUANTITIES.items() for column in d.columns(name)),
    *(name for name, d in PREDICTORS.items() if not isinstance(d, Quantity)),
]


@given(
    st.dictionaries(
        st.sampled_from(_COLUMNS),
        st.sampled_from([CANARY, f"<{CANARY}", NUMBER, -NUMBER, f"2026-13-{CANARY}"]),
        min_size=1,
    )
)
def test_no_value_and_no_identifier_is_repeated(planted: dict[str, object]) -> None:
    given = table(patient_id=[CANARY] * 2 + [f"P{i}" for i in range(N - 2)]).astype(object)
    for column, value in planted.items():
        given[column] = first(value, given[column][1] if column in given else None)
    with pytest.raises(CohortRefused) as caught:
        read(given)
    told = str(caught.value) + repr(caught.value) + repr(caught.value.violations)
    assert CANARY.lower() not in told.lower()
    assert "48151623" not in told
    assert caught.value.__cause__ is None


def test_a_site_written_in_several_ways_is_pointed_out() -> None:
    sites = ["Mainz", "mainz", "MAINZ  Sued", "Mainz Sued", "Berlin"]
    cohort = read(table(site=(sites * 3)[:N]))
    (said,) = (text for text in cohort.notices if text.startswith("site: "))
    assert said.startswith("site: 2 names are written in several ways")
    assert "ainz" not in said
    assert not any(text.startswith("site: ") for text in read(table()).notices)


def test_a_table_without_rows_is_told_that_and_nothing_else() -> None:
    assert only(violations_of(table().iloc[:0])) == ("(rows)", "no_rows", ())
