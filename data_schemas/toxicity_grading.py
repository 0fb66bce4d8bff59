"""Consensus grades of CRS and ICANS from what was observed, and the names of older scales.

ASTCT 2019: Lee DW, Biol Blood Marrow Transplant 2019;25:625-638, doi:10.1016/j.bbmt.2018.12.758.
Its grading tables were read in reprints (PMC9327779 table 2, PMC8403007 table 4). The paper
itself is unread, and so is each statement marked *unread*: check it there once.
"""

from collections.abc import Iterable
from enum import StrEnum

SEVERE_GRADE = 3
_FATAL_GRADE = 5


class GradingScale(StrEnum):
    """Scales in which toxicity has been reported; one patient's grade differs between them.

    One low-dose vasopressor is grade 3 in ASTCT 2019, grade 2 in Lee 2014 and CARTOX. Penn calls
    any supplemental oxygen grade 3, MSKCC counts hours on a vasopressor, CTCAE grades headache
    and tremor as neurotoxicity. Of 102 patients, 25% (CRS) and 54% (ICANS) had the same grade on
    every scale (Pennisi M, Blood Adv 2020;4:676).
    """

    ASTCT2019 = "ASTCT2019"
    LEE2014 = "Lee2014"
    PENN2014 = "Penn2014"
    MSKCC = "MSKCC"
    CARTOX = "CARTOX"
    CTCAE = "CTCAE"


# "Lee 2019" is the ASTCT paper, by the first author of the scale of 2014; "Lee" alone means 2014.
_SPELLINGS: dict[GradingScale, tuple[str, ...]] = {
    GradingScale.ASTCT2019: ("ASTCT", "ASTCT 2019", "ASBMT", "ASBMT 2019", "Lee 2019"),
    GradingScale.LEE2014: ("Lee", "Lee 2014"),
    GradingScale.PENN2014: ("Penn", "Penn 2014", "UPenn"),
    GradingScale.MSKCC: ("MSKCC", "MSK"),
    GradingScale.CARTOX: ("CARTOX", "CARTOX 2018"),
    GradingScale.CTCAE: ("CTCAE", "CTCAE v4", "CTCAE v4.03", "CTCAE v5", "CTCAE v5.0"),
}


def _bare(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


_BY_SPELLING = {_bare(text): scale for scale, texts in _SPELLINGS.items() for text in texts}


def parse_grading_scale(text: str) -> GradingScale:
    """Recognise a scale by its usual spellings, whatever their case, blanks and punctuation.

    Raises ValueError for an unknown spelling, listing the accepted ones.
    """
    if (scale := _BY_SPELLING.get(_bare(text))) is None:
        accepted = ", ".join(spelling for texts in _SPELLINGS.values() for spelling in texts)
        raise ValueError(f"unknown grading scale; accepted: {accepted}")
    return scale


def poolable(scales: Iterable[GradingScale]) -> bool:
    """Whether grades on these scales may be pooled as they are: on one and the same scale only.

    No other scale agrees with ASTCT 2019 without a shift. No scale at all is an unknown one.
    """
    return len(set(scales)) == 1


class OxygenSupport(StrEnum):
    """Most intensive support needed because of CRS."""

    NONE = "none"
    LOW_FLOW = "low_flow"  # nasal cannula up to 6 L/min, or blow-by
    HIGH_FLOW = "high_flow"  # nasal cannula above 6 L/min, face, non-rebreather or Venturi mask
    POSITIVE_PRESSURE = "positive_pressure"  # CPAP, BiPAP, intubation


class Consciousness(StrEnum):
    """Worst level not due to another cause, such as sedation; only ALERT is undisturbed."""

    ALERT = "alert"
    AWAKENS_SPONTANEOUSLY = "awakens_spontaneously"
    AWAKENS_TO_VOICE = "awakens_to_voice"
    AWAKENS_TO_TOUCH = "awakens_to_touch"
    UNAROUSABLE = "unarousable"  # or only by vigorous or repeated touch; stupor, coma


class Seizure(StrEnum):
    """Worst seizure, clinical or electroencephalographic."""

    NONE = "none"
    RESOLVING = "resolving"  # rapidly by itself, or non-convulsive and ended by treatment
    PROLONGED = "prolonged"  # over 5 minutes, or repeated without recovery in between


class CerebralOedema(StrEnum):
    """Worst oedema on imaging, or signs of raised intracranial pressure; not haemorrhage."""

    NONE = "none"
    FOCAL = "focal"
    DIFFUSE = "diffuse"  # or posturing, sixth-nerve palsy, papilloedema, Cushing's triad


_OXYGEN_GRADE = dict(zip(OxygenSupport, (0, 2, 3, 4), strict=True))
_CONSCIOUSNESS_GRADE = dict(zip(Consciousness, (0, 1, 2, 3, 4), strict=True))
_SEIZURE_GRADE = dict(zip(Seizure, (0, 3, 4), strict=True))
_OEDEMA_GRADE = dict(zip(CerebralOedema, (0, 3, 4), strict=True))


def astct_crs_grade(
    *,
    fever_at_onset: bool,
    hypotension: bool,
    vasopressors: int,
    vasopressin_among_them: bool,
    oxygen: OxygenSupport,
    died_of_crs: bool = False,
) -> int:
    """Grade CRS 0 to 5: the worse of hypotension and hypoxia (Lee DW 2019).

    Fever is 38.0 degrees Celsius or more without other cause. It is asked of the onset only: it
    may be gone after antipyretics, tocilizumab or steroids. Without it there is no CRS, grade 0.
    Hypotension is relative to age and baseline. Organ toxicity does not count (unread).
    `vasopressors` is how many at once, vasopressin included; vasopressin does not make them
    "multiple". Alone, which the table leaves open, it is graded here as one vasopressor.

    Raises ValueError if the components contradict each other.
    """
    if vasopressors < int(vasopressin_among_them):
        raise ValueError("vasopressors must be zero or more and include vasopressin")
    if died_of_crs and not fever_at_onset:
        raise ValueError("died_of_crs contradicts fever_at_onset: without fever it is not CRS")
    if died_of_crs or not fever_at_onset:
        return _FATAL_GRADE if died_of_crs else 0
    multiple = vasopressors - int(vasopressin_among_them) > 1
    circulation = 4 if multiple else 3 if vasopressors else 2 if hypotension else 1
    return max(circulation, _OXYGEN_GRADE[oxygen])


def astct_icans_grade(
    *,
    age_years: float,
    ice_score: int | None,
    consciousness: Consciousness,
    seizure: Seizure,
    motor_weakness: bool,
    oedema: CerebralOedema,
    died_of_icans: bool = False,
) -> int | None:
    """Grade ICANS 0 to 5 from age 12: the worst single domain (Lee DW 2019).

    An ICE of 0 is grade 3 in an arousable patient; consciousness, not ICE, makes grade 4. Motor
    weakness is deep and focal. Headache (unread), tremor, myoclonus and haemorrhage do not count.
    None is returned if ICE was not tested and could have raised the grade: not reported is
    missing, not zero. ICE alone never exceeds grade 3, so grades 3 and 4 stand without it.

    Raises ValueError below age 12, where the CAPD replaces ICE, and for an ICE beyond 0 to 10.
    """
    if not age_years >= 12:
        raise ValueError("age_years must be 12 or more: younger children need the CAPD, not ICE")
    if ice_score is not None and ice_score not in range(11):
        raise ValueError("ice_score must be a whole number from 0 to 10")
    if died_of_icans:
        return _FATAL_GRADE
    domains = (_CONSCIOUSNESS_GRADE[consciousness], _SEIZURE_GRADE[seizure], _OEDEMA_GRADE[oedema])
    others = max(*domains, 4 if motor_weakness else 0)
    if ice_score is None:
        return others if others >= 3 else None
    ice_grade = 0 if ice_score == 10 else 1 if ice_score >= 7 else 2 if ice_score >= 3 else 3
    return max(others, ice_grade)
