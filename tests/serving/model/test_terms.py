"""A term is 0 for the typical patient, 0 when missing, and never farther than a few spreads."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.cohort_table import predictor_columns
from serving.model.terms import ASSUMED_LDH_LIMIT_U_L, FARTHEST, Design, Term, design, of_cell
from serving.model.tumour_burden import SOURCES, BurdenScale

Array = np.ndarray
SCALE = BurdenScale(
    dict.fromkeys(SOURCES["LBCL"], (0.0, 100.0)), dict.fromkeys(SOURCES["LBCL"], (0.0, 1.0))
)
CRP = Term(
    name="crp", predictor="crp", transform="log1p", centre={"*": 3.0, "B_ALL": 2.0}, scale=1.3
)
LDH = Term(name="ldh", predictor="ldh", transform="ldh_ratio", centre={"*": 0.0}, scale=0.5)
CREATININE = Term(
    name="creatinine",
    predictor="creatinine",
    transform="creatinine_ratio",
    centre={"*": 0.0},
    scale=0.35,
)
REGIMEN = Term(
    name="ld_regimen:bendamustine",
    predictor="ld_regimen",
    transform="is_any_of",
    centre={"*": 0.0},
    scale=1.0,
    choices=("bendamustine",),
)


def columns(n: int = 1, disease: str = "LBCL", **given: object) -> dict[str, Array]:
    words = {"disease": np.array([disease] * n, dtype=object)}
    arrays = {
        name: np.array([value], dtype=object if isinstance(value, str | None) else float)
        for name, value in given.items()
    }
    return predictor_columns({**words, **arrays}, n)


def of(term: Term, disease: str = "LBCL", **given: object) -> Design:
    return design(columns(disease=disease, **given), (term,), SCALE)


@given(crp=st.floats(0, 1000))
def test_a_term_is_transformed_centred_and_scaled(crp: float) -> None:
    expected = np.clip((np.log1p(crp) - 3.0) / 1.3, -FARTHEST, FARTHEST)
    assert of(CRP, crp=crp).values[0, 0] == pytest.approx(expected, abs=1e-12)


def test_the_typical_value_of_the_disease_is_zero() -> None:
    assert of(CRP, crp=np.expm1(3.0)).values[0, 0] == pytest.approx(0, abs=1e-12)
    assert of(CRP, "B_ALL", crp=np.expm1(2.0)).values[0, 0] == pytest.approx(0, abs=1e-12)


def test_the_patients_of_a_product_may_have_a_typical_value_of_their_own() -> None:
    own = replace(CRP, centre={**CRP.centre, of_cell("tisagenlecleucel", "B_ALL"): 1.0})
    given = {"disease": "B_ALL", "crp": np.expm1(1.0)}
    assert of(own, product="tisagenlecleucel", **given).values[0, 0] == pytest.approx(0, abs=1e-12)
    for product in ("obecabtagene_autoleucel", "other"):
        assert of(own, product=product, **given).values[0, 0] == pytest.approx(-1 / 1.3)
    assert own.cells_of_their_own() == (("tisagenlecleucel", "B_ALL"),)
    assert CRP.cells_of_their_own() == ()


@pytest.mark.parametrize(
    ("age", "usual"), [(1, 0.26), (0.2, 0.26), (14, 0.61), (20, 0.9), (64, 0.9), (np.nan, 0.9)]
)
def test_creatinine_is_read_against_what_is_usual_at_the_age(age: float, usual: float) -> None:
    """Pottel's reference values at 1 and 14 years; an adult's where the age is not known."""
    assert of(CREATININE, age=age, creatinine=usual).values[0, 0] == pytest.approx(0, abs=1e-12)
    twice = of(CREATININE, age=age, creatinine=2 * usual).values[0, 0]
    assert twice == pytest.approx(np.log(2) / 0.35)


@pytest.mark.parametrize("term", [CRP, LDH, REGIMEN])
def test_a_missing_value_is_zero_and_said_to_be_missing(term: Term) -> None:
    made = of(term)
    assert made.values[0, 0] == 0.0
    assert made.missing[0, 0]


def test_an_extreme_value_is_held_within_the_farthest_distance() -> None:
    assert of(LDH, ldh=30_000.0).values[0, 0] == FARTHEST
    assert of(LDH, ldh=20.0).values[0, 0] == -FARTHEST


def test_a_term_of_other_diseases_is_zero_and_not_missing() -> None:
    term = Term(
        name="crp",
        predictor="crp",
        transform="log1p",
        centre={"*": 3.0},
        scale=1.0,
        diseases=("B_ALL",),
    )
    for given_crp in (None, 400.0):
        made = of(term, crp=np.nan if given_crp is None else given_crp)
        assert made.values[0, 0] == 0.0
        assert not made.missing[0, 0]


@given(ldh=st.floats(100, 600), limit=st.floats(150, 400))
def test_ldh_is_read_as_a_multiple_of_the_laboratory_limit(ldh: float, limit: float) -> None:
    once = of(LDH, ldh=ldh, ldh_uln=limit).values[0, 0]
    twice = of(LDH, ldh=2 * ldh, ldh_uln=2 * limit).values[0, 0]
    assert once == pytest.approx(np.clip(np.log(ldh / limit) / 0.5, -FARTHEST, FARTHEST))
    assert once == pytest.approx(twice, abs=1e-12)


def test_without_a_laboratory_limit_the_assumed_one_is_used() -> None:
    assumed = of(LDH, ldh=400.0, ldh_uln=ASSUMED_LDH_LIMIT_U_L).values
    assert of(LDH, ldh=400.0).values == assumed


@pytest.mark.parametrize(
    ("word", "value", "missing"),
    [
        ("bendamustine", 1.0, False),
        ("flu_cy", 0.0, False),
        ("unknown", 0.0, True),
        (None, 0.0, True),
        (np.nan, 0.0, True),
    ],
)
def test_a_word_counts_one_or_zero_and_unknown_is_missing(
    word: object, value: float, missing: bool
) -> None:
    made = of(REGIMEN, ld_regimen=word)
    assert (made.values[0, 0], made.missing[0, 0]) == (value, missing)


def test_burden_enters_as_its_percentile() -> None:
    term = Term(
        name="tumour_burden",
        predictor="tumour_burden",
        transform="burden",
        centre={"*": 0.5},
        scale=0.25,
    )
    assert of(term, mtv=75.0).values[0, 0] == pytest.approx(1.0)
    assert of(term).missing[0, 0]


@given(low=st.floats(0, 999), step=st.floats(0, 500), transform=st.sampled_from(["log1p", "sqrt"]))
def test_a_term_never_falls_when_its_predictor_rises(
    low: float, step: float, transform: str
) -> None:
    term = Term(name="crp", predictor="crp", transform=transform, centre={"*": 1.0}, scale=0.7)  # type: ignore[arg-type]
    assert of(term, crp=low + step).values >= of(term, crp=low).values
