"""How the words of the contract may be written: ``Yescarta®``, ``B-ALL`` and ``M`` are known.

A word is read in any case and with blanks, hyphens or underscores alike. What else is accepted
means one word and no other: ``ALL`` may be of T cells, and is none.
"""

import re

from data_schemas.predictors import PREDICTORS, Category
from data_schemas.products import DISEASES, PRODUCT_SPELLINGS, PRODUCTS

_SYNONYMS: dict[str, dict[str, str]] = {
    "product": PRODUCT_SPELLINGS,
    "sex": {"f": "female", "m": "male"},
    "disease": {
        **{title: word for word, title in DISEASES.items() if word not in ("CLL_SLL", "other")},
        "DLBCL": "LBCL",
        "diffuse large B-cell lymphoma": "LBCL",
        "PMBL": "PMBCL",
        "CLL": "CLL_SLL",
        "SLL": "CLL_SLL",
        "CLL/SLL": "CLL_SLL",
        "BCP-ALL": "B_ALL",
        "B-cell acute lymphoblastic leukemia": "B_ALL",
    },
    "ld_regimen": {"Flu/Cy": "flu_cy", "FluCy": "flu_cy"},
    "mrd_status": {"negative": "neg", "positive": "pos"},
}
_LONGEST = 80
_MARKS = re.compile("[®™]")
_BETWEEN = re.compile("[\\s_\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}-]+")

TRADE_NAMES = ", ".join(
    sorted(name for product in PRODUCTS.values() for name in product.also_called[1:])
)
"""Of products, as they are sold; some are sold under none."""


def folded(text: str) -> str:
    """Return a word as it is compared: without case, marks and what stands between its parts."""
    return _BETWEEN.sub(" ", _MARKS.sub("", text).strip().casefold())


def _spellings(name: str, declared: Category) -> dict[str, str]:
    known = {folded(text): word for text, word in _SYNONYMS.get(name, {}).items()}
    return known | {folded(word): word for word in declared.choices}


SPELLINGS: dict[str, dict[str, str]] = {
    name: _spellings(name, declared)
    for name, declared in PREDICTORS.items()
    if isinstance(declared, Category)
}
"""Of each category: every known spelling, folded, and the word of the contract that it means."""


def word_of(name: str, given: object) -> str | None:
    """Return the word of the contract that a category's spelling means, or None."""
    if not isinstance(given, str) or len(given) > _LONGEST:
        return None
    return SPELLINGS[name].get(folded(given))
