"""A product is known by all its names, and its scope is told without a patient's value."""

import pytest

from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.products import (
    ADULT_YEARS,
    DISEASES,
    LYMPHOMAS,
    PRODUCT_SPELLINGS,
    PRODUCTS,
    Product,
    scope_problem,
)

TISA, AXI, CILTA = ("tisagenlecleucel", "axicabtagene_ciloleucel", "ciltacabtagene_autoleucel")
LBCL, B_ALL = "large B-cell lymphoma", "B-cell acute lymphoblastic leukaemia"
EVERY = pytest.mark.parametrize(
    ("name", "product"), [pytest.param(n, p, id=n) for n, p in PRODUCTS.items()]
)


@EVERY
def test_a_product_treats_known_diseases(name: str, product: Product) -> None:
    assert set(product.treats_children_in) <= set(product.diseases) <= set(DISEASES) - {"other"}
    assert len(product.diseases) == len(set(product.diseases)) > 0


@EVERY
def test_bcma_is_the_target_in_myeloma_and_cd19_elsewhere(name: str, product: Product) -> None:
    assert {product.target == "BCMA"} == {disease == "MM" for disease in product.diseases}


@EVERY
def test_a_product_is_recognised_by_every_name(name: str, product: Product) -> None:
    for spelling in (name, product.label, *product.also_called):
        assert name == PRODUCT_SPELLINGS[spelling.casefold()]


def test_no_spelling_means_two_products() -> None:
    spellings = [(n, *p.also_called) for n, p in PRODUCTS.items()]
    assert len(PRODUCT_SPELLINGS) == sum(map(len, spellings)) + len({"other"})


def test_the_two_cd28_products_are_axi_cel_and_brexu_cel() -> None:
    cd28 = {p.label for p in PRODUCTS.values() if p.costimulation == "CD28"}
    assert {"axi-cel", "brexu-cel"} == cd28


def test_lymphomas_are_diseases() -> None:
    assert set(LYMPHOMAS) == set(DISEASES) - {"B_ALL", "MM", "other"}


@pytest.mark.parametrize(
    ("product", "disease", "age"),
    [
        (AXI, "LBCL", 64),
        (AXI, "LBCL", None),
        (TISA, "B_ALL", 9),
        (TISA, "B_ALL", 25.99),
        (TISA, "B_ALL", None),
        (TISA, "LBCL", ADULT_YEARS),
        (TISA, "LBCL", 80),
    ],
)
def test_an_indicated_patient_is_in_scope(product: str, disease: str, age: float | None) -> None:
    assert scope_problem(product, disease, age) is None


@pytest.mark.parametrize(
    ("product", "disease", "age", "reason"),
    [
        ("other", "LBCL", 64, "the product is not one the evidence speaks of"),
        (CILTA, "LBCL", 64, "cilta-cel has no evidence in large B-cell lymphoma"),
        (AXI, "other", 64, "axi-cel has no evidence in another disease"),
        (AXI, "no such word", 64, "axi-cel has no evidence in this disease"),
        (AXI, "LBCL", 17.99, f"the evidence for axi-cel in {LBCL} is from adults only"),
        (
            TISA,
            "B_ALL",
            26,
            f"the evidence for tisa-cel in {B_ALL} is from patients up to 25 years",
        ),
        (
            TISA,
            "B_ALL",
            70,
            f"the evidence for tisa-cel in {B_ALL} is from patients up to 25 years",
        ),
        (TISA, "LBCL", 9, f"the evidence for tisa-cel in {LBCL} is from adults only"),
    ],
)
def test_out_of_scope_is_said_in_words(product: str, disease: str, age: float, reason: str) -> None:
    assert reason == scope_problem(product, disease, age)


@pytest.mark.parametrize("days", [6574, 6575])
def test_nobody_is_a_child_on_the_18th_birthday_whatever_the_leap_years(days: int) -> None:
    """18 years hold four or five leap days; an age in days must not make a child of an adult."""
    age = PREDICTORS["age"]
    assert isinstance(age, Quantity)
    assert scope_problem(AXI, "LBCL", age.conversions["d"](days)) is None
    assert scope_problem(AXI, "LBCL", age.conversions["d"](6573)) is not None
