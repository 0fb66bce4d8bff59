"""Which predictors models read: those of their terms, and those through which a term is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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
    what is read wherever it is given.
    """

    always: frozenset[str]
    as_burden: frozenset[str]

    def __contains__(self, name: object) -> bool:
        """Tell whether a predictor is read at all."""
        return name in self.always or name in self.as_burden


NOTHING = Inputs(frozenset(), frozenset())


def inputs_of(models: Iterable[tuple[Term, ...]]) -> Inputs:
    """Return what the models read, each given by its terms."""
    always: set[str] = set()
    as_burden: frozenset[str] = frozenset()
    for terms in models:
        always |= _CELL
        for term in terms:
            if term.transform == "burden":
                as_burden = frozenset(MEASURES)
            else:
                always |= {term.predictor} | _READ_BESIDE.get(term.transform, frozenset())
    return Inputs(frozenset(always), as_burden)
