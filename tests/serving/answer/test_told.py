"""A centile is that of the typical values, and says whose they are."""

from dataclasses import replace
from math import log

import pytest
from scipy.stats import norm

from data_schemas.products import DISEASES
from serving.answer.centile_basis import typical_patients
from serving.answer.compiled_terms import CompiledTerms
from serving.answer.told import Teller, Told, centile_of
from serving.model.risk_model import RiskModel
from serving.model.terms import Term
from tests.conftest import Store


@pytest.fixture
def model(evidence_store: Store) -> RiskModel:
    return evidence_store.models["severe_crs"]


def told(model: RiskModel, disease: str, **values: float | str | bool) -> Told:
    values = {"product": "brexucabtagene_autoleucel", **values}
    terms = CompiledTerms(model.terms, model.burden_scale).read(values, disease)
    return Teller(model.terms).told(values, terms, disease)


@pytest.mark.parametrize("distance", [-9.0, -2.5, -0.3, 0.0, 0.1, 1.2816, 2.2, 9.0])
def test_a_centile_is_the_share_of_a_normal_distribution(distance: float) -> None:
    assert abs(centile_of(distance) - 100 * norm.cdf(distance)) <= (0.5 if abs(distance) < 2 else 1)
    assert 1 <= centile_of(distance) <= 99


@pytest.mark.parametrize(
    ("disease", "values", "centile", "words"),
    [
        (
            "LBCL",
            {"ferritin": 1850.0},
            87,
            "Ferritin 1850 ng/mL, higher than in 87 % of typical patients (published distribution)",
        ),
        (
            "LBCL",
            {"crp": 4.0},
            19,
            "C-reactive protein 4 mg/L, lower than in 81 % of typical patients "
            "(assumed distribution)",
        ),
        (
            "B_ALL",
            {"platelets": 85.0},
            50,
            "Platelets 85 10*9/L, higher than in 50 % of typical patients with B-cell acute "
            "lymphoblastic leukaemia (published distribution)",
        ),
        ("LBCL", {"ecog": 2.0}, None, "ECOG performance status 2"),
        ("LBCL", {"crs_prophylaxis": "steroid"}, None, None),
        ("LBCL", {"neuro_comorbidity": True}, None, "Pre-existing neurological disorder present"),
    ],
)
def test_a_value_stands_among_typical_patients(
    model: RiskModel,
    disease: str,
    values: dict[str, float | str | bool],
    centile: int | None,
    words: str | None,
) -> None:
    """1850 ng/mL of ferritin: (ln 1850 - ln 342) / 1.48 is 1.14 spreads, the 87th centile."""
    (name,) = values
    found = told(model, disease, **values).standing(name)
    assert found[0] == centile
    assert words is None or found[1] == words


def test_ldh_stands_where_its_multiple_of_the_limit_does(model: RiskModel) -> None:
    once = told(model, "LBCL", ldh=480.0, ldh_uln=240.0).standing("ldh")
    other = told(model, "LBCL", ldh=960.0, ldh_uln=480.0).standing("ldh")
    assert once[0] == other[0]


def test_burden_stands_at_its_own_percentile(model: RiskModel) -> None:
    centile, words = told(model, "LBCL", mtv=147.5).standing("tumour_burden")
    assert centile == 50
    assert words == "Tumour burden percentile 50 (total metabolic tumour volume 147.5 mL)"


def test_who_was_measured_is_listed_by_group_and_nobody_twice(model: RiskModel) -> None:
    measured = told(model, "LBCL", crp=10.0, platelets=100.0, cns_involvement="unknown").measured
    assert measured.known == ("crp", "platelets")
    assert "cns_involvement" in measured.missing
    assert {*measured.known, *measured.missing} == {term.predictor for term in model.terms}


def test_a_distribution_of_the_models_own_is_not_called_published(model: RiskModel) -> None:
    """A term centred elsewhere than the published table was centred by a cohort."""
    crp = next(term for term in model.terms if term.predictor == "crp")
    own = replace(crp, centre={"*": crp.centre["*"] + 0.1})
    assert typical_patients((own,), "LBCL") == {"crp": "typical patients of the model's own cohort"}


def test_children_get_no_centile_by_the_spread_of_adults(model: RiskModel) -> None:
    assert "age" in typical_patients(model.terms, "B_ALL")
    assert "age" not in typical_patients(model.terms, "B_ALL", "tisagenlecleucel")


def test_a_model_that_reads_creatinine_as_it_stands_is_not_called_a_cohorts(
    model: RiskModel,
) -> None:
    """A model of published evidence that was made before creatinine was read by age."""
    term = next(term for term in model.terms if term.predictor == "creatinine")
    older = replace(term, transform="log", centre={"*": log(0.9)})
    found = typical_patients((older,), "LBCL")["creatinine"]
    assert found == "typical patients (assumed distribution)"


def test_creatinine_is_compared_with_patients_of_the_same_age(model: RiskModel) -> None:
    found = typical_patients(model.terms, "LBCL")["creatinine"]
    assert found == "typical patients of the same age (assumed distribution)"


@pytest.mark.parametrize("disease", DISEASES)
def test_whole_numbers_and_words_have_no_centile(model: RiskModel, disease: str) -> None:
    found = typical_patients(model.terms, disease)
    assert found
    assert not {"ecog", "prior_lines", "sex", "bridging", "tumour_burden"} & set(found)


def test_a_centile_is_taken_only_where_the_term_applies() -> None:
    term = Term(
        name="ldh", predictor="ldh", transform="ldh_ratio", centre={"*": 0.0}, scale=0.5,
        diseases=("MM",),
    )  # fmt: skip
    assert typical_patients((term,), "LBCL") == {}
    assert typical_patients((term,), "MM").keys() == {"ldh"}
