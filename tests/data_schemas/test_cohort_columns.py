"""The list of columns is what the gate reads; a name that is nearly right finds its column."""

import pandas as pd
import pytest

from data_schemas.cohort_columns import ALWAYS, TO_TRAIN, cohort_columns, similar_columns
from data_schemas.cohort_table import CohortRefused, Purpose, read_cohort
from data_schemas.outcomes import OUTCOMES
from data_schemas.predictors import PREDICTORS, REQUIRED, Quantity

COLUMNS = {column.name: column for column in cohort_columns()}
LISTED = [c for c in COLUMNS.values() if c.predictor]


def patients(n: int = 1, **columns: object) -> pd.DataFrame:
    """Return patients who may be learnt from, with columns added or replaced."""
    given = {
        **{"patient_id": [f"P{i}" for i in range(n)], "site": "north"},
        **{"infusion_date": "2024-03-12", "product": "axi-cel", "disease": "LBCL"},
        **{"age_years": 64, "crs_grade": 1, "grading_scale": "ASTCT2019"},
    }
    return pd.DataFrame(given | columns)


def broken(table: pd.DataFrame) -> list[tuple[str, tuple[int, ...]]]:
    """Return the rules that a table breaks, with the rows."""
    try:
        read_cohort(table, Purpose.DEVELOPMENT, [OUTCOMES["severe_crs"]])
    except CohortRefused as refused:
        return [(violation.rule, violation.rows) for violation in refused.violations]
    return []


def test_every_predictor_is_listed_once_in_every_unit() -> None:
    assert len(COLUMNS) == len(cohort_columns())
    for name, declared in PREDICTORS.items():
        mine = [c.name for c in LISTED if c.predictor == name]
        assert mine == (list(declared.columns(name)) if isinstance(declared, Quantity) else [name])


@pytest.mark.parametrize("name", [c.name for c in LISTED if c.limits])
def test_a_number_within_the_listed_limits_is_read_and_one_beyond_them_is_not(name: str) -> None:
    listed = COLUMNS[name]
    assert listed.limits is not None
    low, high = listed.limits
    whole = listed.holds == "whole number"
    near = 0 if whole else 0.001 * (high - low)
    beyond = 1 if whole else near
    table = patients(4, **{name: [low + near, high - near, low - beyond, high + beyond]})
    if listed.predictor == "age" and name != "age_years":
        table = table.drop(columns="age_years")
    assert broken(table) == [("outside_limits", (3, 4))]


@pytest.mark.parametrize("name", [c.name for c in LISTED if c.words])
def test_every_listed_word_is_read(name: str) -> None:
    words = COLUMNS[name].words
    assert broken(patients(len(words), **{name: words})) == []


def test_what_is_needed_is_what_is_missed() -> None:
    needed = [c for c in COLUMNS.values() if c.needed in (ALWAYS, TO_TRAIN)]
    assert {c.predictor for c in needed} - {""} == set(REQUIRED)
    for column in needed:
        if column.name in patients():
            assert broken(patients().drop(columns=column.name)) == [("required", ())], column.name
    scored = patients()[[c.name for c in needed if c.needed == ALWAYS]]
    assert len(read_cohort(scored, Purpose.SCORING)) == 1
    assert broken(patients().drop(columns=["grading_scale"])) == [("required", ())]
    flagged = patients(outcome_severe_crs="no").drop(columns=["crs_grade", "grading_scale"])
    assert broken(flagged) == []


def test_columns_whose_name_is_a_pattern_are_read() -> None:
    assert {"outcome_NAME", "PREDICTOR_measured_at"} <= set(COLUMNS)
    assert broken(patients(outcome_hlh="no", crp_mg_l=3, crp_measured_at="2024-03-10")) == []


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("CRP", ["crp_mg_l", "crp_mg_dl", "crp_ug_ml", "crp_ug_l", "crp_g_l"]),
        ("CRP (mg/dL)", ["crp_mg_dl"]),
        ("Ferritin_ng/mL", ["ferritin_ng_ml"]),
        ("LDH.U.L", ["ldh_u_l"]),
        ("Patient-ID", ["patient_id"]),
        ("InfusionDate", ["infusion_date"]),
        ("CRS Grade", ["crs_grade"]),
        ("Grading Scale", ["grading_scale"]),
        ("Sex", ["sex"]),
        ("AGE", ["age_years", "age_months", "age_days"]),
        ("CRP measured at", ["crp_measured_at"]),
        ("zzz", []),
    ],
)
def test_case_and_separators_hide_no_column(asked: str, meant: list[str]) -> None:
    assert similar_columns(asked) == meant


@pytest.mark.parametrize(
    "asked", ["Alter", "LD", "Thrombozyten G/l", "Hb g/dL", "IgG4", "PCR", "Leuko", "Kreatinin"]
)
def test_a_name_that_is_only_a_little_alike_is_guessed_at_by_nobody(asked: str) -> None:
    """An age is no ALT, though they share three letters of five."""
    assert similar_columns(asked) == []


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("LDH_ULN", "ldh_uln_u_l"),
        ("Ferritin", "ferritin_ng_ml"),
        ("FERITIN", "ferritin_ng_ml"),
        ("albumine", "albumin_g_l"),
        ("crp_mg", "crp_mg_l"),
    ],
)
def test_the_name_of_a_predictor_finds_its_columns(asked: str, first: str) -> None:
    assert similar_columns(asked)[0] == first
