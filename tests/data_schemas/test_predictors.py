"""Every predictor is declared whole, and the declarations do not contradict each other."""

from dataclasses import fields

import pytest

from data_schemas.evidence import Evidence, load_evidence
from data_schemas.predictors import (
    DERIVED,
    NEVER_PREDICTORS,
    PREDICTORS,
    REQUIRED,
    BaselinePredictors,
    Category,
    Direction,
    Flag,
    Predictor,
    Quantity,
)
from data_schemas.products import DISEASES, PRODUCTS

QUANTITIES = {name: d for name, d in PREDICTORS.items() if isinstance(d, Quantity)}
WORDS = {name: d for name, d in PREDICTORS.items() if not isinstance(d, Quantity)}
EVERY = pytest.mark.parametrize(
    ("name", "declared"), [pytest.param(n, d, id=n) for n, d in PREDICTORS.items()]
)
EVERY_QUANTITY = pytest.mark.parametrize(
    ("name", "declared"), [pytest.param(n, d, id=n) for n, d in QUANTITIES.items()]
)

CORE_COLUMNS = {
    "crp": "crp_mg_l",
    "ferritin": "ferritin_ng_ml",
    "ldh": "ldh_u_l",
    "ldh_uln": "ldh_uln_u_l",
    "creatinine": "creatinine_mg_dl",
    "albumin": "albumin_g_l",
    "platelets": "platelets_10e9_l",
    "anc": "anc_10e9_l",
    "hemoglobin": "hemoglobin_g_l",
    "age": "age_years",
    "ecog": "ecog",
    "marrow_blast": "marrow_blast_pct",
    "marrow_plasma_cell": "marrow_plasma_cell_pct",
    "prior_lines": "prior_lines",
    "mtv": "mtv_ml",
    "spd": "spd_cm2",
    "largest_lesion": "largest_lesion_cm",
}
CORE_CATEGORIES = {
    "sex",
    "disease",
    "cns_involvement",
    "product",
    "ld_regimen",
    "bridging",
    "crs_prophylaxis",
    "active_infection",
}
CORE_FLAGS = {"neuro_comorbidity", "bulky_disease", "extramedullary_disease"}


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return load_evidence()


def luhn_digit(digits: str) -> int:
    """The mod-10 check digit of LOINC: from the right, every second digit is doubled."""
    doubled = [int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits))]
    return -sum(n // 10 + n % 10 for n in doubled) % 10


def test_the_check_digit_is_computed_as_loinc_does() -> None:
    """Worked examples: 2276-4 is ferritin, 1988-5 CRP, 777-3 platelets."""
    assert (luhn_digit("2276"), luhn_digit("1988"), luhn_digit("777")) == (4, 5, 3)


@EVERY
def test_a_predictor_says_what_it_is_and_why(name: str, declared: Predictor) -> None:
    assert all(text.strip() for text in (declared.label, declared.reason, declared.reference))
    assert declared.look_back_days is None or declared.look_back_days > 0
    assert set(declared.diseases) <= set(DISEASES)
    assert getattr(BaselinePredictors(), name) is None


@EVERY
def test_who_says_that_nothing_is_published_is_in_no_published_association(
    name: str, declared: Predictor, evidence: Evidence
) -> None:
    """Nor does such a predictor tell of findings."""
    if declared.reference.startswith("no published association"):
        rows = [row.id for row in evidence.associations if name in row.predictors]
        assert rows == []
        assert "findings" not in declared.reason


@EVERY
def test_directions_are_up_down_or_free(name: str, declared: Predictor) -> None:
    assert {declared.direction.severe_crs, declared.direction.severe_icans} <= {-1, 0, 1}


@EVERY
def test_loinc_codes_have_their_check_digit(name: str, declared: Predictor) -> None:
    for code in declared.loinc:
        digits, check = code.split("-")
        assert str(luhn_digit(digits)) == check, code
    assert len(declared.loinc) == len(set(declared.loinc))


@EVERY_QUANTITY
def test_hard_limits_contain_the_usual_range(name: str, declared: Quantity) -> None:
    (low, high), (soft_low, soft_high) = declared.hard, declared.soft
    assert low <= soft_low < soft_high <= high


@EVERY_QUANTITY
def test_a_logarithm_is_never_taken_of_nothing(name: str, declared: Quantity) -> None:
    smallest = {"log": 1e-9, "log1p": 0, "sqrt": 0, "identity": float("-inf")}
    assert declared.hard[0] >= smallest[declared.transform]


@EVERY_QUANTITY
def test_a_quantity_has_one_column_for_each_unit(name: str, declared: Quantity) -> None:
    """Pure numbers have one column: ``ecog_fraction`` would mean nothing."""
    columns = declared.columns(name)
    assert next(iter(columns.values())) == declared.unit
    expected = 1 if declared.unit.startswith("{") else len(declared.conversions)
    assert expected == len(columns)
    assert all(column.startswith(name.removesuffix("_d0")[:9]) for column in columns)


def test_what_is_counted_or_measured_at_the_bed_has_no_detection_limit() -> None:
    limited = {name for name, d in QUANTITIES.items() if d.has_detection_limit}
    assert {"crp", "ferritin", "il6", "procalcitonin", "d_dimer", "bilirubin", "anc"} <= limited
    assert not {"ldh_uln", "ldh", "hemoglobin", "albumin", "inr"} & limited
    assert {QUANTITIES[name].group for name in limited}.isdisjoint({"patient", "treatment"})
    assert not any(QUANTITIES[name].whole for name in limited)
    assert limited < {name for name, d in QUANTITIES.items() if d.has_largest_result}


def test_what_is_counted_or_measured_at_the_bed_has_no_largest_result() -> None:
    """An age above 89 years is one that was hidden, and no measurement."""
    largest = {name for name, d in QUANTITIES.items() if d.has_largest_result}
    assert {"ferritin", "il6", "ldh", "inr", "aptt"} <= largest
    assert not {"ldh_uln", "age", "lvef", "temperature", "hemoglobin", "mtv"} & largest
    assert not any(QUANTITIES[name].whole for name in largest)


def test_no_two_predictors_share_a_column() -> None:
    columns = [column for name, d in QUANTITIES.items() for column in d.columns(name)]
    taken = [*columns, *WORDS, *DERIVED, *NEVER_PREDICTORS]
    assert len(taken) == len(set(taken))


@pytest.mark.parametrize("name", sorted(WORDS))
def test_choices_are_several_and_distinct(name: str) -> None:
    declared = WORDS[name]
    assert isinstance(declared, Flag) or len(declared.choices) == len(set(declared.choices)) > 1


def test_the_contract_is_the_record_and_nothing_else() -> None:
    assert list(PREDICTORS) == [field.name for field in fields(BaselinePredictors)]


def test_without_product_disease_and_age_there_is_no_answer() -> None:
    assert REQUIRED == ("product", "disease", "age")


def test_derived_and_forbidden_names_are_no_predictors() -> None:
    assert not set(DERIVED) & set(NEVER_PREDICTORS)
    assert not set(PREDICTORS) & {*DERIVED, *NEVER_PREDICTORS}


def test_the_core_is_declared() -> None:
    assert {*CORE_COLUMNS, *CORE_CATEGORIES, *CORE_FLAGS} <= set(PREDICTORS)
    assert {
        name: next(iter(QUANTITIES[name].columns(name))) for name in CORE_COLUMNS
    } == CORE_COLUMNS
    assert {Category} == {type(PREDICTORS[name]) for name in CORE_CATEGORIES}
    assert {Flag} == {type(PREDICTORS[name]) for name in CORE_FLAGS}


@pytest.mark.parametrize("disease", sorted(DISEASES))
def test_tumour_burden_can_be_given_in_every_disease(disease: str) -> None:
    measures = ("mtv", "spd", "largest_lesion", "bulky_disease", "extramedullary_disease")
    assert all(PREDICTORS[name].applies_to(disease) for name in measures)


def test_marrow_counts_belong_to_their_disease() -> None:
    blasts, plasma_cells = PREDICTORS["marrow_blast"], PREDICTORS["marrow_plasma_cell"]
    assert [disease for disease in DISEASES if blasts.applies_to(disease)] == ["B_ALL"]
    assert [disease for disease in DISEASES if plasma_cells.applies_to(disease)] == ["MM"]


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("crp", Direction(+1, +1)),
        ("ferritin", Direction(+1, +1)),
        ("ldh", Direction(+1, +1)),
        ("mtv", Direction(+1, +1)),
        ("platelets", Direction(-1, -1)),
        ("albumin", Direction(-1, -1)),
        ("neuro_comorbidity", Direction(0, +1)),
        ("crs_prophylaxis", Direction(-1, 0)),
        ("age", Direction(0, 0)),
        ("bridging", Direction(0, 0)),
        ("ldh_uln", Direction(0, 0)),
    ],
)
def test_the_published_directions_are_declared(name: str, direction: Direction) -> None:
    assert direction == PREDICTORS[name].direction


def test_a_direction_is_asked_for_by_outcome() -> None:
    direction = Direction(severe_crs=-1, severe_icans=+1)
    named = [direction.for_outcome(o) for o in ("severe_crs", "severe_icans", "severe_hlh")]
    assert named == [-1, +1, 0]


def test_every_product_and_disease_can_be_chosen() -> None:
    product, disease = PREDICTORS["product"], PREDICTORS["disease"]
    assert isinstance(product, Category)
    assert isinstance(disease, Category)
    assert (*PRODUCTS, "other") == product.choices
    assert tuple(DISEASES) == disease.choices
