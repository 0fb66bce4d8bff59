"""The scales in which CRS and ICANS are graded, and from which grade on they are severe."""

from enum import StrEnum

SEVERE_GRADE = 3
HIGHEST_GRADE = 5
"""In every scale; the lowest is 0, none at all."""
ASTCT_2019 = "Lee DW, Biol Blood Marrow Transplant 2019;25:625-638"
"""Whose tables grade a patient of another scale anew: doi:10.1016/j.bbmt.2018.12.758."""


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
