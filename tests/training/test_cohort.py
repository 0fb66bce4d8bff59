"""What cannot be learnt from is refused, and the rule is named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_schemas.cohort_table import CohortRefused
from data_schemas.outcomes import OUTCOMES, Outcome
from training.cohort import FEWEST_PATIENTS, LearningCohort, learning_cohort, within
from training.simulation.synthetic_cohort import simulate

ICANS = OUTCOMES["severe_icans"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return simulate(200, 3, 5).table


def read(table: pd.DataFrame, folder: Path, outcome: Outcome = ICANS) -> LearningCohort:
    path = folder / "cohort.parquet"
    table.to_parquet(path)
    return learning_cohort(path, outcome)


def rules(table: pd.DataFrame, folder: Path) -> set[str]:
    with pytest.raises(CohortRefused) as refused:
        read(table, folder)
    return refused.value.rules


def test_patients_with_a_known_outcome_are_kept(table: pd.DataFrame, tmp_path: Path) -> None:
    cohort = read(table, tmp_path)
    known = table["icans_grade"].notna()
    assert 0 < cohort.without_outcome == (~known).sum()
    said = f"{(~known).sum()} patients without a known outcome are left out"
    assert cohort.notices.count(said) == 1
    assert not any("known outcome" in n for n in read(table[known], tmp_path).notices)
    assert len(cohort) == known.sum() == len(cohort.site)
    assert cohort.events == (table["icans_grade"] >= 3).sum()
    assert {len(column) for column in cohort.columns.values()} == {len(cohort)}
    assert cohort.synthetic
    days = table.loc[known, "infusion_date"].to_numpy().astype("datetime64[D]")
    given = sorted(zip(table.loc[known, "age_years"], days, strict=True))
    assert sorted(zip(cohort.columns["age"], cohort.infused, strict=True)) == given


def test_a_patient_is_a_number_and_nobody_stands_twice(table: pd.DataFrame, tmp_path: Path) -> None:
    """Second infusions are refused, so that no patient can be both learnt from and judged."""
    cohort = read(table, tmp_path)
    assert cohort.patient.dtype.kind == "i"
    assert len(set(cohort.patient.tolist())) == len(cohort)
    again = table.assign(patient_id=table["patient_id"].where(table.index != 1, "sim-000001"))
    assert rules(again, tmp_path) == {"duplicated_patient"}


def test_a_patient_who_is_drawn_twice_keeps_the_same_number(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    cohort = read(table, tmp_path)
    drawn = cohort.take(np.array([4, 9, 4]))
    assert drawn.patient[0] == drawn.patient[2] != drawn.patient[1]


def test_twelve_patients_are_too_few(table: pd.DataFrame, tmp_path: Path) -> None:
    small = table[table["icans_grade"].notna()].iloc[:12].dropna(axis="columns", how="all")
    assert rules(small, tmp_path) == {"too_few_patients"}


def test_patients_without_outcome_do_not_count(table: pd.DataFrame, tmp_path: Path) -> None:
    hidden = table.copy()
    hidden.loc[FEWEST_PATIENTS - 1 :, "icans_grade"] = np.nan
    assert rules(hidden, tmp_path) == {"too_few_patients"}


@pytest.mark.parametrize("grade", [1.0, 4.0])
def test_a_cohort_of_one_class_teaches_nothing(
    table: pd.DataFrame, tmp_path: Path, grade: float
) -> None:
    assert rules(table.assign(icans_grade=grade), tmp_path) == {"one_class"}


def test_a_cohort_without_the_outcome_is_refused(table: pd.DataFrame, tmp_path: Path) -> None:
    assert "required" in rules(table.drop(columns="icans_grade"), tmp_path)


@pytest.mark.parametrize("name", ["broken.parquet", "nowhere.csv", "cohort.xlsx"])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    if name != "nowhere.csv":
        (tmp_path / name).write_bytes(b"PAR1 not really")
    with pytest.raises(CohortRefused) as refused:
        learning_cohort(tmp_path / name, ICANS)
    assert refused.value.rules <= {"unreadable", "no_such_file", "unknown_format"}


def test_a_refusal_never_shows_a_value_or_an_identifier(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    broken = table.assign(patient_id=["secret-7"] * len(table), age_years=987_654.0)
    with pytest.raises(CohortRefused) as refused:
        read(broken, tmp_path)
    assert {"duplicated_patient", "outside_limits"} <= refused.value.rules
    assert "secret-7" not in str(refused.value)
    assert "987654" not in str(refused.value)


def test_some_of_the_patients_are_a_cohort_again(table: pd.DataFrame, tmp_path: Path) -> None:
    cohort = read(table, tmp_path)
    some = cohort.take(np.array([5, 3]))
    assert len(some) == 2
    assert some.columns["age"].tolist() == cohort.columns["age"][[5, 3]].tolist()
    assert some.outcome.tolist() == cohort.outcome[[5, 3]].tolist()


def test_a_transformed_predictor_keeps_its_gaps(table: pd.DataFrame, tmp_path: Path) -> None:
    cohort = read(table, tmp_path)
    logged = cohort.transformed("ferritin", "log")
    np.testing.assert_allclose(np.exp(logged), cohort.columns["ferritin"], equal_nan=True)
    assert np.isnan(logged).any()


def test_an_outcome_of_ones_own_is_read_from_its_flag(table: pd.DataFrame, tmp_path: Path) -> None:
    own = Outcome(name="hlh", label="HLH", definition="x", horizon_days=60, reference="x")
    flags = np.where(np.arange(len(table)) % 4 == 0, "yes", "no")
    assert read(table.assign(outcome_hlh=flags), tmp_path, own).events == len(table) // 4


# ---- Products outside their diseases ---------------------------------------------------------


def test_patients_outside_the_model_are_left_out_with_a_notice(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    cohort = read(table, tmp_path)
    pairs = set(zip(cohort.columns["product"], cohort.columns["disease"], strict=True))
    some = {pair for pair in pairs if pair[1] == "LBCL"}
    kept = within(cohort, some, ICANS)
    lymphoma = cohort.columns["disease"] == "LBCL"
    assert len(kept) == lymphoma.sum() < len(cohort)
    assert kept.events == cohort.outcome[lymphoma].sum()
    assert f"{(~lymphoma).sum()} patients" in kept.notices[-1]
    assert within(cohort, pairs, ICANS) is cohort


def test_a_cohort_wholly_outside_the_model_is_refused(table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(CohortRefused) as refused:
        within(read(table, tmp_path), set(), ICANS)
    assert refused.value.rules == {"too_few_patients"}


def test_values_older_than_their_window_are_learnt_from_and_counted(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    """The service answers such a value with a caution: here somebody has to hear of it, too."""
    infused = pd.to_datetime(table["infusion_date"])
    days = np.where(np.arange(len(table)) < 7, 700, 2)
    old = table.assign(crp_measured_at=(infused - pd.to_timedelta(days, unit="D")).dt.date)
    known = table["icans_grade"].notna().to_numpy()
    expected = int((known & (days == 700) & table["crp_mg_l"].notna().to_numpy()).sum())
    (said,) = (text for text in read(old, tmp_path).notices if text.startswith("crp: "))
    assert said.startswith(f"crp: {expected} values were measured more than")
