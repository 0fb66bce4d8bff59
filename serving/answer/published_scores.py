"""Published scores that a clinician may know already, shown beside our own risk.

Each score is a pure function of laboratory values and a record that says what it was built for.
None of them is a probability. Timing of all: the last value before lymphodepletion
starts, ideally of the preceding seven days. Values drawn later belong to other cut-offs.

Marks: *read* means the statement was seen in the source or its abstract; *unread* means it is
known second-hand and must be checked in the paper before a decision rests on it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

Mark = Literal["read", "unread"]

# A count of zero means "below the counter's resolution of 1", so half of that stands in for it.
# It is a floor, not a special case: otherwise a count of 0.1 would score worse than 0.
PLATELET_FLOOR = 0.5
MG_L_PER_MG_DL = 10.0


def easix(ldh_u_l: float, creatinine_mg_dl: float, platelets_10e9_l: float) -> float:
    """Endothelial Activation and Stress Index.

    ``EASIX = LDH x creatinine / platelets`` (formula and units: read)

    Parameters
    ----------
    ldh_u_l
        Lactate dehydrogenase [U/L], lactate-to-pyruvate method. The pyruvate-to-lactate method
        (LOINC 14805-6) reads about twice as high and must not be used.
    creatinine_mg_dl
        Serum creatinine [mg/dL]; a result in umol/L is divided by 88.4 first.
    platelets_10e9_l
        Platelets [10*9/L]; counts below 0.5, zero included, are taken as 0.5. A transfusion in
        the preceding days lowers the score without lowering the risk.

    Returns
    -------
    float
        The index, 0 or more. Published effects are per doubling, so compare on the log2 scale.

    References
    ----------
    Origin, after allogeneic transplantation: Luft T, Lancet Haematol 2017;4:e414-e423 (unread).
    CAR-T, before lymphodepletion: Korell F, Front Immunol 2022;13:877477 (abstract read): odds
    ratio of grade 3 or higher CRS and/or ICANS 1.72 (1.26-2.46) per doubling, cut-off > 4.67.
    """
    return ldh_u_l * creatinine_mg_dl / max(platelets_10e9_l, PLATELET_FLOOR)


def s_easix(ldh_u_l: float, platelets_10e9_l: float) -> float:
    """Simplified EASIX, which leaves creatinine out.

    ``s-EASIX = LDH / platelets`` (formula: read)

    Creatinine rises only late and in few patients with severe CRS, hence the simplification.

    Parameters
    ----------
    ldh_u_l
        Lactate dehydrogenase [U/L], lactate-to-pyruvate method only (see `easix`).
    platelets_10e9_l
        Platelets [10*9/L]; counts below 0.5 are taken as 0.5.

    Returns
    -------
    float
        The index, 0 or more; no cut-off was published for severe CRS or ICANS.

    References
    ----------
    Pennisi M, Blood Adv 2021;5:3397-3406 (abstract read).
    """
    return ldh_u_l / max(platelets_10e9_l, PLATELET_FLOOR)


def m_easix(ldh_u_l: float, crp_mg_l: float, platelets_10e9_l: float) -> float:
    """m-EASIX: C-reactive protein takes the place of creatinine.

    ``m-EASIX = LDH x (CRP / 10) / platelets`` (formula, and CRP in mg/dL: read)

    The unit trap: the paper counts CRP in mg/dL, most laboratories outside the United States
    report mg/L. Ten times too much CRP adds 3.3 doublings to the score, and no range check can
    see it, since 8 and 80 are both ordinary results. This function therefore takes the unit of
    the predictor contract, mg/L, and divides by 10 itself: callers never convert.

    Parameters
    ----------
    ldh_u_l
        Lactate dehydrogenase [U/L], lactate-to-pyruvate method only (see `easix`).
    crp_mg_l
        C-reactive protein [mg/L], not mg/dL.
    platelets_10e9_l
        Platelets [10*9/L]; counts below 0.5 are taken as 0.5.

    Returns
    -------
    float
        The index, 0 or more. At a CRP below the detection limit it follows the substituted
        value, not the patient.

    References
    ----------
    Pennisi M, Blood Adv 2021;5:3397-3406 (abstract read, but not to its end): the AUC of 0.804 for
    severe CRS at lymphodepletion is unread. Cut-offs: unread, none is used.
    """
    return ldh_u_l * (crp_mg_l / MG_L_PER_MG_DL) / max(platelets_10e9_l, PLATELET_FLOOR)


def car_hematotox(
    platelets_10e9_l: float,
    anc_10e9_l: float,
    hemoglobin_g_l: float,
    crp_mg_l: float,
    ferritin_ng_ml: float,
) -> int:
    """CAR-HEMATOTOX: marrow reserve and inflammation before lymphodepletion.

    Built for neutropenia of 14 days or longer, in large B-cell lymphoma. It is not a score of
    CRS or ICANS. In leukaemia about nine patients in ten score high, since blasts lower counts.

    Parameters
    ----------
    platelets_10e9_l
        Platelets [10*9/L]: above 175, 0 points; 75 to 175, 1; below 75, 2.
    anc_10e9_l
        Absolute neutrophils [10*9/L]: 1.2 or more, 0 points; below, 1.
    hemoglobin_g_l
        Haemoglobin [g/L]: 90 or more, 0 points; below, 1.
    crp_mg_l
        C-reactive protein [mg/L]: 30 or less, 0 points; above, 1.
    ferritin_ng_ml
        Ferritin [ng/mL]: below 650, 0 points; 650 to 2000, 1; above 2000, 2.

    Returns
    -------
    int
        0 to 7; 0-1 is low, 2 or more is high.

    Notes
    -----
    Components, the heavier weight of platelets and ferritin, and the cut-off: read. The point
    table: unread; it agrees with one other transcription.
    Equality is a choice of ours. Where the table gives a range, its ends belong to the range.
    Where both sides are strict (neutrophils 1.2, haemoglobin 90, CRP 30), equality takes the
    better category, 0 points; other implementations give a CRP of exactly 30 one point.

    References
    ----------
    Rejeski K, Blood 2021;138:2499-2513 (abstract read).
    """
    of_platelets = (platelets_10e9_l <= 175) + (platelets_10e9_l < 75)
    of_ferritin = (ferritin_ng_ml >= 650) + (ferritin_ng_ml > 2000)
    of_others = (anc_10e9_l < 1.2) + (hemoglobin_g_l < 90) + (crp_mg_l > 30)
    return of_platelets + of_ferritin + of_others


@dataclass(frozen=True)
class CutOff:
    """A published threshold."""

    value: float
    inclusive: bool

    def is_passed_by(self, score: float) -> bool:
        """Whether a score lies beyond the threshold, in the paper's own inequality."""
        return score >= self.value if self.inclusive else score > self.value


@dataclass(frozen=True)
class PublishedScore:
    """What must be known of a score before its number is shown.

    `inputs` are names of the predictor contract, in canonical units and in the order in which
    `compute` takes them. `on_log2_scale` holds for ratios whose published effects are per doubling.
    `point_table_mark` is "unread" if the points themselves are second-hand.
    """

    name: str
    label: str
    formula: str
    inputs: tuple[str, ...]
    compute: Callable[..., float]
    purpose: str
    performance_note: str
    citation: str
    doi: str
    cut_off: CutOff | None = None
    on_log2_scale: bool = False
    point_table_mark: Mark = "read"

    def is_measured(self, values: Mapping[str, object]) -> bool:
        """Tell whether every input is there."""
        return self._inputs <= values.keys()

    @cached_property
    def _inputs(self) -> frozenset[str]:
        return frozenset(self.inputs)

    @cached_property
    def note(self) -> str:
        """What it was built for and how it did, in words."""
        sentences = [self.purpose, self.performance_note]
        return " ".join(sentences + [_UNREAD_POINTS] * (self.point_table_mark == "unread"))


class ScoreResult(NamedTuple):
    """One score of one patient; `value` is None exactly when an input is missing."""

    name: str
    label: str
    value: float | None
    log2: float | None
    missing: tuple[str, ...]
    above_cut_off: bool | None
    note: str


_PENNISI = "Pennisi M et al. Blood Adv 2021;5:3397-3406"
_UNREAD_POINTS = "The point table has not been checked against the paper."
_UNREAD_FIGURE = "This figure has not been checked against the paper."
_NULL_RESULT = (
    "In 154 recipients of axi-cel no EASIX variant was associated with grade 3 or higher CRS or "
    "ICANS (de Boer, Cancers 2023;15:5443)."
)

_IN_CHILDREN = (
    "In 76 children and young adults with B-ALL EASIX and m-EASIX reached an AUC of up to 0.906 "
    "for severe CRS, the highest of several days (Blood Adv 2025;9:270-279)."
)

PUBLISHED_SCORES: tuple[PublishedScore, ...] = (
    PublishedScore(
        name="easix",
        label="EASIX",
        formula="LDH [U/L] x creatinine [mg/dL] / platelets [10*9/L]",
        inputs=("ldh", "creatinine", "platelets"),
        compute=easix,
        purpose="Built for endothelial risk and survival after allogeneic transplantation.",
        performance_note=(
            "Grade 3 or higher CRS and/or ICANS: odds ratio 1.72 (1.26-2.46) per doubling in "
            f"ZUMA-1 (n=93), confirmed in 121 patients. {_NULL_RESULT} {_IN_CHILDREN}"
        ),
        citation="Korell F et al. Front Immunol 2022;13:877477",
        doi="10.3389/fimmu.2022.877477",
        cut_off=CutOff(4.67, inclusive=False),
        on_log2_scale=True,
    ),
    PublishedScore(
        name="s_easix",
        label="Simplified EASIX",
        formula="LDH [U/L] / platelets [10*9/L]",
        inputs=("ldh", "platelets"),
        compute=s_easix,
        purpose="Built for severe CRS and ICANS, in one centre (n=118).",
        performance_note=(
            f"No figure of its own cohort was read. {_NULL_RESULT} For ICANS of grade 2 or higher "
            "EASIX and this score had an AUC of 0.61 to 0.62 in them."
        ),
        citation=_PENNISI,
        doi="10.1182/bloodadvances.2020003885",
        on_log2_scale=True,
    ),
    PublishedScore(
        name="m_easix",
        label="Modified EASIX",
        formula="LDH [U/L] x CRP [mg/dL] / platelets [10*9/L]; CRP [mg/dL] = CRP [mg/L] / 10",
        inputs=("ldh", "crp", "platelets"),
        compute=m_easix,
        purpose="Built for severe CRS and ICANS, in one centre (n=118).",
        performance_note=(
            f"AUC 0.80 for severe CRS at lymphodepletion in its own cohort. {_UNREAD_FIGURE} "
            f"{_NULL_RESULT} {_IN_CHILDREN}"
        ),
        citation=_PENNISI,
        doi="10.1182/bloodadvances.2020003885",
        on_log2_scale=True,
    ),
    PublishedScore(
        name="car_hematotox",
        label="CAR-HEMATOTOX",
        formula=(
            "points: platelets [10*9/L] >175 0, 75-175 1, <75 2; ANC [10*9/L] <1.2 1; "
            "haemoglobin [g/L] <90 1; CRP [mg/L] >30 1; ferritin [ng/mL] <650 0, 650-2000 1, "
            ">2000 2"
        ),
        inputs=("platelets", "anc", "hemoglobin", "crp", "ferritin"),
        compute=car_hematotox,
        purpose="Built for neutropenia of 14 days or longer, not for CRS or ICANS.",
        performance_note=(
            "Neutropenia: AUC 0.89 in pooled validation, 0.73 in a population-based cohort "
            "(n=245). Severe ICANS in myeloma: 8 of 50 high, 0 of 63 low. In leukaemia about nine "
            "patients in ten score high, since blasts lower the counts."
        ),
        citation="Rejeski K et al. Blood 2021;138:2499-2513",
        doi="10.1182/blood.2020010543",
        cut_off=CutOff(2, inclusive=True),
        point_table_mark="unread",
    ),
)


def published_scores(values: Mapping[str, float]) -> tuple[ScoreResult, ...]:
    """Every published score of one patient, in the order of `PUBLISHED_SCORES`.

    Parameters
    ----------
    values
        Results by contract name without unit, in canonical units: ldh [U/L], creatinine
        [mg/dL], platelets [10*9/L], crp [mg/L], anc [10*9/L], hemoglobin [g/L], ferritin
        [ng/mL]. What was not measured is absent; other names are ignored.

    Returns
    -------
    tuple of ScoreResult
        A score with a missing input has no value: a normal result is never assumed for it.

    Raises
    ------
    ValueError
        If a value that any score uses is negative, NaN or infinite.
    """
    for name in dict.fromkeys(name for s in PUBLISHED_SCORES for name in s.inputs):
        # The message carries the name only: error texts reach logs, and a result is patient data.
        if not 0 <= values.get(name, 0.0) < math.inf:  # true for NaN, too
            raise ValueError(f"{name} must be a finite number, zero or more")
    return tuple([score_result(score, values) for score in PUBLISHED_SCORES])


def score_result(score: PublishedScore, values: Mapping[str, Any]) -> ScoreResult:
    """Return one score of a patient whose values are known to be possible."""
    name, label = score.name, score.label
    if not score.is_measured(values):
        missing = tuple(name for name in score.inputs if name not in values)
        note = f"Not calculated: no {', '.join(missing)}."
        return ScoreResult(name, label, None, None, missing, None, note)
    value = float(score.compute(*[values[name] for name in score.inputs]))
    # A ratio of zero has no logarithm; it arises from an LDH, creatinine or CRP of zero.
    log2 = math.log2(value) if score.on_log2_scale and value > 0 else None
    above_cut_off = score.cut_off.is_passed_by(value) if score.cut_off else None
    note = score.note
    if score.on_log2_scale and values["platelets"] < PLATELET_FLOOR:
        note += f" Platelets below {PLATELET_FLOOR} were counted as {PLATELET_FLOOR}."
    return ScoreResult(name, label, value, log2, (), above_cut_off, note)
