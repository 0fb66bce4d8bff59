"""Centres and spreads fit the contract, and each says where it comes from."""

import math

import pytest
from pydantic import ValidationError

from data_schemas.evidence import load_evidence
from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.products import DISEASES, PRODUCTS
from data_schemas.typical_values import BurdenMeasure, TypicalValue, burden_measures, typical_values

EVERY_VALUE = pytest.mark.parametrize(
    "row", [pytest.param(r, id=f"{r.predictor}-{r.disease}-{r.product}") for r in typical_values()]
)
EVERY_MEASURE = pytest.mark.parametrize(
    "row", [pytest.param(r, id=r.measure) for r in burden_measures()]
)


@EVERY_VALUE
def test_the_typical_patient_is_within_the_usual_range(row: TypicalValue) -> None:
    declared = PREDICTORS[row.predictor]
    assert isinstance(declared, Quantity)
    assert declared.soft[0] <= row.centre <= declared.soft[1]
    assert row.spread > 0
    assert row.disease in {"*", *DISEASES}


@EVERY_VALUE
def test_the_transform_is_the_declared_one(row: TypicalValue) -> None:
    """Except for what models read as a multiple of what is usual."""
    declared = PREDICTORS[row.predictor]
    assert isinstance(declared, Quantity)
    multiples = {"ldh": "ldh_ratio", "creatinine": "creatinine_ratio"}
    assert row.transform == multiples.get(row.predictor, declared.transform)


def test_every_predictor_has_one_value_for_all_diseases() -> None:
    keys = [(row.predictor, row.disease, row.product) for row in typical_values()]
    assert len(keys) == len(set(keys))
    assert {name for name, _, _ in keys} == {name for name, *rest in keys if rest == ["*", "*"]}


def test_a_product_has_typical_patients_of_its_own_only_where_it_is_given() -> None:
    own = {(row.product, row.disease) for row in typical_values() if row.product != "*"}
    assert own == {("tisagenlecleucel", "B_ALL")}
    assert all(disease in PRODUCTS[product].diseases for product, disease in own)


@pytest.mark.parametrize("row", [*typical_values(), *burden_measures()])
def test_a_basis_is_a_row_of_the_evidence(row: TypicalValue | BurdenMeasure) -> None:
    known = {found.id for found in load_evidence().distributions}
    assert set(row.basis) <= known
    assert row.how


def test_the_typical_ecog_follows_from_the_shares_that_are_told() -> None:
    """A mean of 0.8 is not that of as many zeros as ones, which would be 0.7."""
    row = next(row for row in typical_values() if row.predictor == "ecog")
    assert "0 in a third of all and 1 in the others" in row.how
    two_or_more = 0.12
    shares = {0: 1 / 3, 1: 1 - 1 / 3 - two_or_more, 2: two_or_more}
    mean = sum(score * share for score, share in shares.items())
    variance = sum((score - mean) ** 2 * share for score, share in shares.items())
    assert row.centre == pytest.approx(mean, abs=0.02)
    assert row.spread == pytest.approx(math.sqrt(variance), abs=0.05)


@EVERY_MEASURE
def test_burden_rises_with_its_measure(row: BurdenMeasure) -> None:
    declared = PREDICTORS[row.measure]
    values, levels = row.curve()
    assert len(values) == len(levels) >= 2
    assert list(values) == sorted(set(values))
    assert list(levels) == sorted(set(levels))
    assert all(0 <= level <= 1 for level in levels)
    if isinstance(declared, Quantity):
        assert declared.hard[0] <= values[len(values) // 2] <= declared.hard[1]


def test_a_log_normal_measure_passes_through_its_quartiles() -> None:
    """Median 100, spread ln 2: the upper quartile is 100 times 2 to the power 0.6745."""
    row = BurdenMeasure(measure="mtv", median=100, spread=math.log(2), assumed=True, how="-")
    curve = dict(zip(*reversed(row.curve()), strict=True))
    assert curve[0.5] == pytest.approx(100)
    assert curve[0.75] == pytest.approx(100 * 2**0.6744898)
    assert curve[0.25] * curve[0.75] == pytest.approx(100**2)


def test_only_age_may_be_typical_of_one_product() -> None:
    age = {"transform": "identity", "disease": "B_ALL", "product": "x", "centre": 9, "spread": 1}
    known = {**age, "assumed": True, "how": "-"}
    assert TypicalValue(predictor="age", **known).product == "x"
    with pytest.raises(ValidationError, match="only age"):
        TypicalValue(predictor="ferritin", **known)


def test_a_number_without_a_source_must_say_so() -> None:
    with pytest.raises(ValidationError, match="marked as assumed"):
        BurdenMeasure(measure="mtv", median=100, spread=1, how="from nowhere")
