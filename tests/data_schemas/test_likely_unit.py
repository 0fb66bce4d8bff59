"""A column in a wrong unit is pointed out where its values say so, and a plausible one is not."""

import re

import numpy as np
import pandas as pd
import pytest

from data_schemas.cohort_table import Purpose, read_cohort
from data_schemas.likely_unit import FEWEST_VALUES
from training.simulation.synthetic_cohort import simulate

N = 40
RANKS = (np.arange(N) + 0.5) / N


def notices(
    disease: object = "LBCL", product: str = "axi-cel", **columns: object
) -> tuple[str, ...]:
    """Return what is noticed of patients with these columns."""
    given = {"patient_id": [f"P{i}" for i in range(N)], "product": product, "disease": disease}
    return read_cohort(pd.DataFrame(given | columns), Purpose.SCORING).notices


def spread_around(median: float, spread: float = 2.0) -> np.ndarray:
    """Return values that lie evenly, on the log scale, within a factor of a median."""
    return median * spread ** (2 * RANKS - 1)


# ---- what is pointed out: values as a laboratory measures them, under the name of another unit


@pytest.mark.parametrize(
    ("column", "median", "right"),
    [
        ("crp_mg_l", 1.5, "crp_mg_dl"),
        ("crp_mg_dl", 15.0, "crp_mg_l"),
        ("ldh_ukat_l", 236.0, "ldh_u_l"),
        ("largest_lesion_mm", 4.0, "largest_lesion_cm"),
        ("creatinine_mg_dl", 9.0, "creatinine_mg_l"),
        ("ferritin_ng_ml", 34.0, "ferritin_ug_dl"),
        ("spd_mm2", 37.0, "spd_cm2"),
        ("mtv_ml", 0.15, "mtv_l"),
        ("involved_flc_mg_l", 30.0, "involved_flc_mg_dl"),
    ],
)
def test_a_column_under_the_name_of_another_accepted_unit_is_pointed_out(
    column: str, median: float, right: str
) -> None:
    disease = "MM" if column.startswith("involved") else "LBCL"
    (notice,) = notices(disease, **{column: spread_around(median)})
    assert notice.startswith(f"{column}: read in ")
    assert f"name it {right};" in notice
    assert "its median is nearer to " in notice


@pytest.mark.parametrize(
    ("column", "median", "times"),
    [
        ("ldh_u_l", 2360.0, "10 times the typical 236 U/L"),
        ("platelets_10e9_l", 15.0, "1/10 of the typical 150 10*9/L"),
        ("anc_10e9_l", 24.0, "10 times the typical 2.4 10*9/L"),
    ],
)
def test_a_factor_of_ten_that_no_accepted_unit_explains_is_pointed_out(
    column: str, median: float, times: str
) -> None:
    """Platelets by 10*4/uL, and a decimal point that was lost."""
    (notice,) = notices(**{column: spread_around(median, 1.8)})
    assert f"its median is nearer to {times} than to it; look up its unit" in notice


def test_the_typical_patient_is_one_of_the_same_disease() -> None:
    """A platelet count of 20 is a fifth of what is typical in leukaemia, and no tenth."""
    low = spread_around(20.0, 1.5)
    assert notices("B_ALL", platelets_10e9_l=low) == ()
    assert "1/10 of the typical 150" in notices("LBCL", platelets_10e9_l=low)[0]


def test_the_typical_patient_is_one_of_the_same_product() -> None:
    """A leukaemia patient of 5 years is half as old as is typical of tisagenlecleucel."""
    young = spread_around(5.0, 1.2) * 12
    assert notices("B_ALL", "tisagenlecleucel", age_months=young) == ()
    grown = "brexucabtagene_autoleucel"
    assert "name it age_years" in notices("B_ALL", grown, age_months=young)[0]


def test_values_beyond_the_soft_limits_are_pointed_out_with_the_unit_that_they_fit() -> None:
    """12 umol/L of bilirubin are 0.7 mg/dL; read as mg/dL they pass the hard limits."""
    (notice,) = notices(bilirubin_mg_dl=spread_around(12.0, 1.9))
    assert notice.startswith("bilirubin_mg_dl: read in mg/dL, more than nine tenths of its values")
    assert "are not between 0.1 and 5 mg/dL" in notice
    assert "umol/L" in notice
    assert "bilirubin_umol_l" in notice


def test_the_nearest_unit_that_makes_values_possible_is_told() -> None:
    """A third of the patients in mg/L: in ug/L all would be usual, and nobody is measured so."""
    values = np.where(np.arange(N) % 3, spread_around(2.0), spread_around(70.0, 1.4))
    (notice,) = notices(crp_mg_dl=values)
    assert "if it is in mg/L, name it crp_mg_l; " in notice
    assert "ug/L" not in notice


def test_a_code_for_what_is_missing_points_to_no_unit() -> None:
    (notice,) = notices(crp_mg_l=np.where(np.arange(N) % 2, 999.0, spread_around(20.0)))
    assert "if it is in" not in notice
    assert "look up its unit" in notice


def test_the_soft_limits_are_told_in_the_unit_that_was_sent() -> None:
    (notice,) = notices(bilirubin_umol_l=spread_around(300.0, 1.9))
    assert "not between 1.71 and 85.5 umol/L (0.1 and 5 mg/dL), as is usual" in notice


@pytest.mark.parametrize(
    ("outside", "share"),
    [(3, None), (4, None), (5, "a tenth"), (11, "a quarter"), (21, "half"), (37, "nine tenths")],
)
def test_a_share_is_told_in_words_from_which_nobody_can_be_counted(
    outside: int, share: str | None
) -> None:
    weight = np.where(np.arange(N) < outside, 190.0, 80.0)
    said = notices(weight_kg=weight)
    if share is None:
        assert said == ()
    else:
        assert f"more than {share} of its values" in said[0]
        assert re.findall(r"\d+", said[0]) == ["35", "180"]


# ---- what is not


def test_few_values_say_nothing_of_a_unit() -> None:
    values = spread_around(1.5)
    values[FEWEST_VALUES - 1 :] = np.nan
    assert notices(crp_mg_l=values) == ()
    values[FEWEST_VALUES - 1] = 1.5
    assert len(notices(crp_mg_l=values)) == 1


@pytest.mark.parametrize("median", [4.0, 15.0, 60.0])
def test_a_centre_with_little_or_much_inflammation_is_believed(median: float) -> None:
    assert notices(crp_mg_l=spread_around(median, 5.0)) == ()


def test_much_ferritin_as_in_leukaemia_is_believed() -> None:
    assert notices("B_ALL", ferritin_ng_ml=spread_around(2500.0, 4.0)) == ()


def test_a_factor_that_would_carry_a_patient_beyond_the_hard_limits_explains_nothing() -> None:
    """CRP of 2 mg/L is common in myeloma; with one patient at 120 it is no mg/dL."""
    values = spread_around(2.0)
    assert len(notices("MM", crp_mg_l=values)) == 1
    values[0] = 120.0
    assert notices("MM", crp_mg_l=values) == ()


def test_a_predictor_without_a_meaning_in_a_disease_is_not_judged_there() -> None:
    blasts = np.full(N, 99.5)
    assert len(notices("B_ALL", marrow_blast_pct=blasts)) == 1
    assert notices("LBCL", marrow_blast_pct=blasts) == ()


def test_scores_have_no_unit_to_be_wrong() -> None:
    """An ECOG of mostly 3 is unusual, not in another unit."""
    (notice,) = notices(ecog=np.where(np.arange(N) < 5, 3, 1))
    assert notice.startswith("ecog: more than a tenth of its values are not between 0 and 2")
    assert "look up how it was coded" in notice
    assert notices(prior_lines=1) == ()


@pytest.mark.parametrize("seed", [1, 11])
def test_patients_who_are_simulated_from_what_is_published_raise_no_doubt(seed: int) -> None:
    table = simulate(600, 3, seed).table
    assert [n for n in read_cohort(table, Purpose.SCORING).notices if "read in" in n] == []
    wrong = table.assign(crp_mg_l=table["crp_mg_l"] / 10, ldh_u_l=table["ldh_u_l"] * 10)
    doubted = [n for n in read_cohort(wrong, Purpose.SCORING).notices if "read in" in n]
    assert [n.partition(":")[0] for n in doubted] == ["crp_mg_l", "ldh_u_l"]
