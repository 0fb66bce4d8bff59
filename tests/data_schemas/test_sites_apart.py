"""One site's column in another unit is pointed out, and a site that only differs is not."""

import math

import numpy as np
import pandas as pd
import pytest

from data_schemas.cohort_table import Purpose, read_cohort
from data_schemas.likely_unit import FEWEST_VALUES
from data_schemas.predictors import PREDICTORS, Quantity
from training.simulation.synthetic_cohort import simulate

PATIENTS, SITES = 600, 5


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return simulate(PATIENTS, SITES, 7).table


def doubted(table: pd.DataFrame) -> list[str]:
    """Return what is noticed of units."""
    return [n for n in read_cohort(table, Purpose.SCORING).notices if "read in" in n]


def with_one_site_times(
    table: pd.DataFrame, column: str, factor: float
) -> tuple[str, pd.DataFrame]:
    """Multiply a column at the site with the fewest patients; return the site, too."""
    site = str(table["site"].value_counts().index[-1])
    values = table[column].where(table["site"] != site, table[column] * factor)
    return site, table.assign(**{column: values})


@pytest.mark.parametrize(
    ("column", "factor", "unit"),
    [
        ("crp_mg_l", 0.1, "mg/dL"),
        ("creatinine_mg_dl", 10, "mg/L"),
        ("mtv_ml", 0.001, "L"),
        ("ferritin_ng_ml", 0.1, "ug/dL"),
    ],
)
def test_one_site_in_another_accepted_unit_is_named(
    table: pd.DataFrame, column: str, factor: float, unit: str
) -> None:
    site, wrong = with_one_site_times(table, column, factor)
    (notice,) = doubted(wrong)
    assert notice.startswith(f"{column} at site '{site}': read in ")
    assert f"if they are in {unit} there, convert this site's rows" in notice


def test_a_lost_decimal_point_at_one_site_is_named(table: pd.DataFrame) -> None:
    site, wrong = with_one_site_times(table, "platelets_10e9_l", 0.1)
    (notice,) = doubted(wrong)
    assert notice.startswith(f"platelets_10e9_l at site '{site}'")
    assert "near 1/10 of that of the other sites; look up this site's unit" in notice


def test_of_two_sites_the_one_farther_from_published_patients_is_named(table: pd.DataFrame) -> None:
    two = table.assign(site=np.where(np.arange(PATIENTS) % 2, "north", "south"))
    for site in ("north", "south"):
        tenfold = two["crp_mg_l"].where(two["site"] != site, two["crp_mg_l"] / 10)
        (notice,) = doubted(two.assign(crp_mg_l=tenfold))
        assert notice.startswith(f"crp_mg_l at site '{site}'")


def test_all_sites_in_another_unit_are_a_matter_of_the_column(table: pd.DataFrame) -> None:
    (notice,) = doubted(table.assign(crp_mg_l=table["crp_mg_l"] / 10))
    assert notice.startswith("crp_mg_l: read in mg/L")


def test_a_large_site_in_another_unit_does_not_make_the_whole_column_doubtful(
    table: pd.DataFrame,
) -> None:
    """To name the column by another unit would spoil the other sites."""
    one = table["site"].isin(["simulated-03", "simulated-04"])
    wrong = table.assign(
        site=np.where(one, "large", "other"),
        mtv_ml=table["mtv_ml"].where(~one, table["mtv_ml"] / 1000),
    )
    (notice,) = doubted(wrong)
    assert notice.startswith("mtv_ml at site 'large'")


# ---- what is not pointed out


@pytest.mark.parametrize("column", ["crp_mg_l", "ferritin_ng_ml", "ldh_u_l", "platelets_10e9_l"])
def test_a_site_with_half_or_twice_as_much_is_believed(table: pd.DataFrame, column: str) -> None:
    for factor in (0.5, 2.0):
        assert doubted(with_one_site_times(table, column, factor)[1]) == []


def test_patients_without_a_site_are_not_a_site(table: pd.DataFrame) -> None:
    site, wrong = with_one_site_times(table, "crp_mg_l", 0.1)
    assert doubted(wrong.assign(site=wrong["site"].replace(site, ""))) == []


def test_few_values_say_nothing_of_a_site(table: pd.DataFrame) -> None:
    site, wrong = with_one_site_times(table, "crp_mg_l", 0.1)
    known = np.flatnonzero((wrong["site"] == site) & wrong["crp_mg_l"].gt(0))
    kept = known[: FEWEST_VALUES - 1]
    few = wrong.drop(index=np.setdiff1d(np.flatnonzero(wrong["site"] == site), kept))
    assert doubted(few) == []


@pytest.mark.parametrize("seed", range(5))
def test_simulated_sites_with_patients_of_their_own_raise_no_doubt(seed: int) -> None:
    """Of 30 seeds and 3, 6 and 12 sites, none did."""
    assert doubted(simulate(300, 6, seed).table) == []


def test_only_factors_that_are_wider_than_patients_are_looked_for() -> None:
    """2.25 times as much ferritin (pmol/L) is less than a spread of patients: nobody is doubted."""
    ferritin = PREDICTORS["ferritin"]
    assert isinstance(ferritin, Quantity)
    factor = float(ferritin.conversions["pmol/L"].factor)
    assert abs(math.log(factor)) < 1.48
    rows = 200
    generator = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "patient_id": [f"P{i}" for i in range(rows)],
            "site": np.where(np.arange(rows) % 2, "a", "b"),
            "product": "axi-cel",
            "disease": "LBCL",
            "ferritin_ng_ml": np.exp(generator.normal(math.log(342), 1.48, rows)),
        }
    )
    table.loc[table["site"] == "a", "ferritin_ng_ml"] /= factor
    assert doubted(table) == []
