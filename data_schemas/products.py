"""CAR-T products and the diseases they treat.

A product fixes its target antigen and its costimulatory domain; together with the disease it sets
the base rate of severe toxicity.
Indications name the combinations that regulators have approved or pivotal trials have treated;
they were written down from knowledge of the labels and not re-read for this table (``unread``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

DISEASES: dict[str, str] = {
    "LBCL": "large B-cell lymphoma",
    "PMBCL": "primary mediastinal B-cell lymphoma",
    "FL": "follicular lymphoma",
    "MCL": "mantle cell lymphoma",
    "MZL": "marginal zone lymphoma",
    "CLL_SLL": "chronic lymphocytic leukaemia, small lymphocytic lymphoma",
    "B_ALL": "B-cell acute lymphoblastic leukaemia",
    "MM": "multiple myeloma",
    "other": "another disease",
}

LYMPHOMAS = ("LBCL", "PMBCL", "FL", "MCL", "MZL", "CLL_SLL")

WITHOUT_PUBLISHED_EFFECTS = {
    "severe_crs": frozenset({"MM"}),
    "severe_icans": frozenset({"MM", "B_ALL"}),
}
"""By outcome the diseases in which no usable figure says how a predictor goes with it."""

ADULT_YEARS = 6574 / 365.25
"""The 18th birthday in years, as an age in days gives it: 18 years have 6,574 or 6,575 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One CAR-T product.

    ``has_delayed_neurotoxicity``: disorders of movement and thought that begin weeks later and are
    no ICANS are known of it (Cohen AD, Blood Cancer J 2022;12:32; unread).
    ``has_dose_split_by_burden``: who has many blasts is given a smaller first dose (FELIX).
    ``treats_children_in`` names the diseases in which its evidence includes patients under 18;
    ``up_to_years`` those in which it includes none that are older, with their last full year.
    """

    label: str
    target: Literal["CD19", "BCMA"]
    costimulation: Literal["CD28", "4-1BB"]
    diseases: tuple[str, ...]
    also_called: tuple[str, ...]
    has_delayed_neurotoxicity: bool = False
    has_dose_split_by_burden: bool = False
    treats_children_in: tuple[str, ...] = ()
    up_to_years: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


PRODUCTS: dict[str, Product] = {
    "tisagenlecleucel": Product(
        label="tisa-cel",
        target="CD19",
        costimulation="4-1BB",
        diseases=("B_ALL", "LBCL", "PMBCL", "FL"),
        also_called=("tisa-cel", "Kymriah"),
        treats_children_in=("B_ALL",),
        up_to_years=MappingProxyType({"B_ALL": 25}),
    ),
    "axicabtagene_ciloleucel": Product(
        label="axi-cel",
        target="CD19",
        costimulation="CD28",
        diseases=("LBCL", "PMBCL", "FL", "MZL"),
        also_called=("axi-cel", "Yescarta"),
    ),
    "brexucabtagene_autoleucel": Product(
        label="brexu-cel",
        target="CD19",
        costimulation="CD28",
        diseases=("MCL", "B_ALL"),
        also_called=("brexu-cel", "Tecartus"),
    ),
    "lisocabtagene_maraleucel": Product(
        label="liso-cel",
        target="CD19",
        costimulation="4-1BB",
        diseases=("LBCL", "PMBCL", "FL", "MCL", "MZL", "CLL_SLL"),
        also_called=("liso-cel", "Breyanzi"),
    ),
    "idecabtagene_vicleucel": Product(
        label="ide-cel",
        target="BCMA",
        costimulation="4-1BB",
        diseases=("MM",),
        also_called=("ide-cel", "Abecma"),
    ),
    "ciltacabtagene_autoleucel": Product(
        label="cilta-cel",
        target="BCMA",
        costimulation="4-1BB",
        diseases=("MM",),
        also_called=("cilta-cel", "Carvykti"),
        has_delayed_neurotoxicity=True,
    ),
    "obecabtagene_autoleucel": Product(
        label="obe-cel",
        target="CD19",
        costimulation="4-1BB",
        diseases=("B_ALL",),
        also_called=("obe-cel", "Aucatzyl"),
        has_dose_split_by_burden=True,
    ),
    "relmacabtagene_autoleucel": Product(
        label="relma-cel",
        target="CD19",
        costimulation="4-1BB",
        diseases=("LBCL", "FL", "MCL"),
        also_called=("relma-cel", "Carteyva"),
    ),
    "equecabtagene_autoleucel": Product(
        label="eque-cel",
        target="BCMA",
        costimulation="4-1BB",
        diseases=("MM",),
        also_called=("eque-cel", "Fucaso"),
    ),
    "zevorcabtagene_autoleucel": Product(
        label="zevor-cel",
        target="BCMA",
        costimulation="4-1BB",
        diseases=("MM",),
        also_called=("zevor-cel",),
    ),
    "inaticabtagene_autoleucel": Product(
        label="inati-cel",
        target="CD19",
        costimulation="4-1BB",
        diseases=("B_ALL",),
        also_called=("inati-cel",),
    ),
    "talicabtagene_autoleucel": Product(
        label="tali-cel",
        target="CD19",
        costimulation="4-1BB",
        diseases=("B_ALL", "LBCL", "FL"),
        also_called=("tali-cel", "NexCAR19"),
    ),
    "varnimcabtagene_autoleucel": Product(
        label="var-cel",
        target="CD19",
        costimulation="4-1BB",
        diseases=("B_ALL",),
        also_called=("var-cel", "ARI-0001"),
    ),
}

WITH_DELAYED_NEUROTOXICITY = frozenset(
    name for name, product in PRODUCTS.items() if product.has_delayed_neurotoxicity
)
WITH_DOSE_SPLIT_BY_BURDEN = frozenset(
    name for name, product in PRODUCTS.items() if product.has_dose_split_by_burden
)

PRODUCT_SPELLINGS: dict[str, str] = {
    spelling.casefold(): name
    for name, product in PRODUCTS.items()
    for spelling in (name, *product.also_called)
} | {"other": "other"}


WORD_LABELS: dict[str, dict[str, str]] = {
    "product": {name: product.label for name, product in PRODUCTS.items()},
    "disease": DISEASES,
}
"""What people call the words of a predictor, where that is not the word itself."""


def scope_problem(product: str, disease: str, age_years: float | None) -> str | None:
    """Return why a patient lies outside what a product is given for, or None.

    The text names the rule, never the patient's value.
    """
    if product not in PRODUCTS:
        return "the product is not one the evidence speaks of"
    known = PRODUCTS[product]
    if disease not in known.diseases:
        return f"{known.label} has no evidence in {DISEASES.get(disease, 'this disease')}"
    if age_years is None:
        return None
    evidence = f"the evidence for {known.label} in {DISEASES[disease]}"
    if age_years < ADULT_YEARS and disease not in known.treats_children_in:
        return f"{evidence} is from adults only"
    oldest = known.up_to_years.get(disease)
    if oldest is not None and age_years >= oldest + 1:
        return f"{evidence} is from patients up to {oldest} years"
    return None
