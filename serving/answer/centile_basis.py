"""Among whom a centile is taken, and whether their distribution is published or assumed."""

from functools import cache
from math import isclose

from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.products import DISEASES
from data_schemas.typical_values import TypicalValue, typical_values
from serving.answer.compiled_terms import ONE_FUNCTIONS
from serving.model.terms import ASSUMED_LDH_LIMIT_U_L, DEFAULT_DISEASE, Term


def typical_patients(terms: tuple[Term, ...], disease: str) -> dict[str, str]:
    """Return by predictor the typical patients among whom its centile in a disease is taken.

    Scores and counts have none: a normal distribution says little of a few whole steps.
    """
    found = {}
    for term in terms:
        declared = PREDICTORS.get(term.predictor)
        if isinstance(declared, Quantity) and not declared.whole and term.applies_in(disease):
            found[term.predictor] = f"typical patients {_whose(term, disease)}"
    return found


def _whose(term: Term, disease: str) -> str:
    row = _rows().get((term.predictor, disease)) or _rows().get((term.predictor, DEFAULT_DISEASE))
    if row is None or not isclose(_transformed(row), term.centre_in(disease), abs_tol=1e-9):
        return "of the model's own cohort"
    whom = f"with {DISEASES[disease]} " if disease in term.centre else ""
    return f"{whom}({'assumed' if row.assumed else 'published'} distribution)"


def _transformed(row: TypicalValue) -> float:
    is_ratio = row.transform == "ldh_ratio"
    return ONE_FUNCTIONS[row.transform](row.centre / (ASSUMED_LDH_LIMIT_U_L if is_ratio else 1.0))


@cache
def _rows() -> dict[tuple[str, str], TypicalValue]:
    return {(row.predictor, row.disease): row for row in typical_values()}
