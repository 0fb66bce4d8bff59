"""Which published figure is read for which effect, by which conversion; nothing else is read."""

from math import log, log1p
from typing import Literal

from data_schemas.typical_values import EVERYWHERE
from serving.model.tumour_burden import BURDEN

TermKey = tuple[str, str, str]
"""Predictor, disease scope (``"*"`` or a disease), and the word for categories ("" otherwise)."""

Kind = Literal["doubling", "threshold", "unit", "z", "pair", "auc", "cohorts"]
Step = tuple[Kind, str, float]
"""Conversion, row id, and the one number that the conversion needs beside the row."""

COMPARED_WITH = "axi-cel-zuma1-phase2"
"""The cohort without prophylaxis that those with it are compared with.

The table in which their figures were read compares them with it, by one scale (Blood
2023;141:2430-2442, table 1); the label of 2017 counts every neurologic event.
"""


def rows_of(step: Step) -> tuple[str, ...]:
    """Return the rows that a step reads: a cohort with prophylaxis, and beside it one without."""
    kind, row_id, _ = step
    return (row_id, COMPARED_WITH) if kind == "cohorts" else (row_id,)


_ANY_ICANS_RISK = 0.43
_SNMMI_SEVERE_CRS, _SNMMI_SEVERE_ICANS = 0.08, 0.20
_MSK_SEVERE_CRS = 0.15


def _key(predictor: str, scope: str = EVERYWHERE, word: str = "") -> TermKey:
    return predictor, scope, word


def _easix(sign: float) -> Step:
    return "doubling", "easix-doubling-severe-korell", sign


_SHARED: dict[TermKey, tuple[Step, ...]] = {
    _key("platelets"): (_easix(-1.0),),
    _key("creatinine"): (_easix(+1.0),),
    _key("crp"): (("threshold", "crp-100-icans-grade2plus-hmp", log1p(100)),),
    _key("ferritin"): (("threshold", "ferritin-1500-icans-grade2plus-hmp", log(1500)),),
}
STEPS: dict[str, dict[TermKey, tuple[Step, ...]]] = {
    "severe_crs": {
        **_SHARED,
        _key("crp"): (
            ("threshold", "crp-100-icans-grade2plus-hmp", log1p(100)),
            ("auc", "m-easix-auc-crs-severe-pennisi", _MSK_SEVERE_CRS),
        ),
        _key("ldh"): (_easix(+1.0), ("threshold", "ldh-uln-crs-severe-multivariable-snmmi", 0.0)),
        _key(BURDEN): (("z", "mtv-crs-severe-multivariable-snmmi", _SNMMI_SEVERE_CRS),),
        _key(BURDEN, "B_ALL"): (("pair", "blasts-5-crs-severe-park", 0.0),),
        _key("age"): (("threshold", "age-65-crs-any-jacobson", 65.0),),
        _key("crs_prophylaxis", word="tocilizumab"): (
            ("cohorts", "axi-cel-zuma1-cohort3-tocilizumab", 0.0),
        ),
        _key("crs_prophylaxis", word="steroid"): (
            ("cohorts", "axi-cel-zuma1-cohort6-dexamethasone", 0.0),
        ),
    },
    "severe_icans": {
        **_SHARED,
        _key("ldh"): (_easix(+1.0), ("threshold", "ldh-normal-neurologic-severe-wudhikarn", 0.0)),
        _key(BURDEN): (("z", "suvmax-icans-severe-univariate-snmmi", _SNMMI_SEVERE_ICANS),),
        _key("age"): (
            ("unit", "age-icans-any-per-year-cibmtr", _ANY_ICANS_RISK),
            ("threshold", "age-60-neurologic-severe-wudhikarn", 60.0),
        ),
        _key("ecog"): (("threshold", "ecog-2-neurologic-severe-wudhikarn", 1.5),),
        _key("prior_lines"): (
            ("threshold", "prior-lines-3-neurologic-severe-wudhikarn", 2.5),
            ("pair", "prior-lines-3-icans-severe-brexu-mcl", 0.0),
        ),
        _key("crs_prophylaxis", word="tocilizumab"): (
            ("cohorts", "axi-cel-zuma1-cohort3-tocilizumab", 0.0),
        ),
        _key("crs_prophylaxis", word="steroid"): (
            ("cohorts", "axi-cel-zuma1-cohort6-dexamethasone", 0.0),
        ),
    },
}

_NOT_TOLD = "is not told where the figure is: taken as"
ASSUMED: dict[str, str] = {
    "mtv-crs-severe-multivariable-snmmi": (
        f"the share with severe CRS in its cohort {_NOT_TOLD} {_SNMMI_SEVERE_CRS:g}"
    ),
    "suvmax-icans-severe-univariate-snmmi": (
        f"the share with severe ICANS in its cohort {_NOT_TOLD} {_SNMMI_SEVERE_ICANS:g}, and "
        "SUVmax as a measure of burden, since the interval of the volume's own figure was not seen"
    ),
    "m-easix-auc-crs-severe-pennisi": (
        f"the share with severe CRS in its cohort {_NOT_TOLD} {_MSK_SEVERE_CRS:g}, between "
        "lymphoma and leukaemia"
    ),
}
"""What a conversion needs and no source tells, by the row that it is read with."""

OTHER_OUTCOMES: dict[str, str] = {
    "any_crs": "CRS of any grade",
    "any_icans": "ICANS of any grade",
    "grade2plus_icans": "ICANS of grade 2 or more",
    "severe_crs_or_icans": "severe CRS or severe ICANS, whichever came",
    "severe_neurologic_toxicity": "neurologic toxicity of grade 3 or more",
}
"""Outcomes of figures that are read for the effects on another one, in words."""

_ANAKINRA = _key("crs_prophylaxis", word="anakinra")
SPOKEN_OF: dict[str, dict[TermKey, tuple[str, ...]]] = {
    # Its note tells of CRS of grade 2 or more.
    "severe_crs": {_ANAKINRA: ("prophylactic-anakinra-icans-severe",)},
    "severe_icans": {_ANAKINRA: ("prophylactic-anakinra-icans-severe",)},
}
"""Rows with a size of a yes-or-no effect, but none that could be used."""

_RATES_SAY_IT = "what differs between products is in their base rates"
_NO_PREDICTOR = "no predictor of the models"
_SAME_PATIENTS = "another cut through the patients of a figure that is used"
NOT_USED: dict[str, str] = {
    "age-over-64-icans-any-cibmtr": _SAME_PATIENTS,
    "age-65-icans-any-jacobson": "any grade; age has a figure per year of more patients",
    "ldh-uln-crs-severe-univariate-snmmi": "unadjusted; the adjusted figure of its cohort is used",
    "bridging-neurologic-severe-wudhikarn": (
        "unadjusted, and bridging is given for the burden that stands beside it"
    ),
    "prior-lines-3-crs-severe-brexu-mcl": "unadjusted, of one product, and within chance",
    "tisa-vs-axi-neurologic-severe-wudhikarn": _RATES_SAY_IT,
    "axi-vs-tisa-crs-any-cart-sie": _RATES_SAY_IT,
    "axi-vs-tisa-icans-any-cart-sie": _RATES_SAY_IT,
    "axi-vs-tisa-crs-severe-descar-t": _RATES_SAY_IT,
    "axi-vs-tisa-icans-severe-descar-t": _RATES_SAY_IT,
    "prior-sct-neurologic-severe-wudhikarn": _NO_PREDICTOR,
    "vein-to-vein-day-neurologic-severe-wudhikarn": _NO_PREDICTOR,
    "bendamustine-icans-severe-brexu-mcl": _NO_PREDICTOR,
    "bendamustine-crs-severe-brexu-mcl": _NO_PREDICTOR,
    "btki-icans-severe-brexu-mcl": _NO_PREDICTOR,
    "car-hematotox-2-icans-severe-rejeski": "a score of predictors that stand in the models",
}
"""Usable rows of the evidence that no effect is read from, and why."""
