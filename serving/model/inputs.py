"""Which predictors models read: those of their terms, and those through which a term is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from data_schemas.products import DISEASES
from serving.model.risk_model import RiskModel
from serving.model.terms import Term, Transform
from serving.model.tumour_burden import MEASURES

_CELL = frozenset({"product", "disease"})
"""They choose the base rate, and around which typical value a term is centred."""

_READ_BESIDE: Mapping[Transform, frozenset[str]] = {
    "ldh_ratio": frozenset({"ldh_uln"}),
    "creatinine_ratio": frozenset({"age"}),
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """The predictors of the contract that models read.

    ``as_burden`` holds the measures of tumour burden, of which one is read of a patient; ``always``
    what is read wherever it is given. ``counted`` holds, by disease, what can move a risk there:
    of what is read and not counted no effect is known, and it moves the interval alone.
    """

    always: frozenset[str]
    as_burden: frozenset[str]
    counted: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        """Tell whether a predictor is read at all."""
        return name in self.always or name in self.as_burden


NOTHING = Inputs(frozenset(), frozenset())


def inputs_of(models: Iterable[RiskModel]) -> Inputs:
    """Return what the models read."""
    known = list(models)
    always = set(_CELL) if known else set()
    as_burden: frozenset[str] = frozenset()
    for term in (term for model in known for term in model.terms):
        if term.transform == "burden":
            as_burden = frozenset(MEASURES)
        else:
            always |= _read_for(term)
    counted = {
        disease: _CELL.union(*(_counted_with(model, disease) for model in known))
        for disease in (DISEASES if known else ())
    }
    return Inputs(frozenset(always), as_burden, counted)


def counted_terms(model: RiskModel, disease: str) -> list[Term]:
    """Return the terms by which a model tells patients of a disease apart."""
    acting = {*np.flatnonzero(model.coefficients).tolist(), *model.trees.effects.thresholds}
    terms = [model.terms[place] for place in sorted(acting)]
    return [term for term in terms if term.applies_in(disease)]


def _counted_with(model: RiskModel, disease: str) -> frozenset[str]:
    return frozenset().union(
        *(
            MEASURES if term.transform == "burden" else _read_for(term)
            for term in counted_terms(model, disease)
        )
    )


def _read_for(term: Term) -> frozenset[str]:
    return _READ_BESIDE.get(term.transform, frozenset()) | {term.predictor}
