"""Among whom a centile is taken, and whether their distribution is published or assumed."""

from math import isclose

from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.products import DISEASES
from data_schemas.typical_values import EVERYWHERE, TypicalValue, typical_value
from serving.model.terms import Term, transformed_typical


def typical_patients(terms: tuple[Term, ...], disease: str, product: str = "") -> dict[str, str]:
    """Return by predictor the typical patients among whom its centile in a disease is taken.

    Scores and counts have none: a normal distribution says little of a few whole steps. Nor has
    what spreads otherwise among a product's own patients than the model's scale says.
    """
    found = {}
    for term in terms:
        declared = PREDICTORS.get(term.predictor)
        if isinstance(declared, Quantity) and not declared.whole and term.applies_in(disease):
            row = typical_value(term.predictor, disease, product)
            if row is None or row.product == EVERYWHERE or row.spread == term.scale:
                found[term.predictor] = f"typical patients {_whose(term, disease, row)}"
    return found


def _whose(term: Term, disease: str, row: TypicalValue | None) -> str:
    if row is None or not isclose(
        transformed_typical(row.centre, term.transform), term.centre_in(disease), abs_tol=1e-9
    ):
        return "of the model's own cohort"
    whom = f"with {DISEASES[disease]} " if disease in term.centre else ""
    if term.transform == "creatinine_ratio":
        whom = f"{whom}of the same age "
    return f"{whom}({'assumed' if row.assumed else 'published'} distribution)"
