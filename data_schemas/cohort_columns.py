"""Every column that a cohort may have: its unit, its limits, and when it is needed."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from data_schemas.outcomes import OUTCOMES
from data_schemas.predictors import PREDICTORS, REQUIRED, Category, Declared, Quantity
from data_schemas.quantity_limits import Limits, limits_in
from data_schemas.toxicity_grading import HIGHEST_GRADE, GradingScale

SYNTHETIC = "synthetic"
MEASURED_AT = "_measured_at"
ADMINISTRATIVE = ("patient_id", "site", "infusion_date", "grading_scale", SYNTHETIC)
GRADES = tuple(o.grade_column for o in OUTCOMES.values() if o.grade_column)
ALWAYS, TO_TRAIN = "always", "to train"
"""Needed even to score; needed where outcomes are learnt from or judged by."""
_YES_NO = ("yes", "no", "unknown")
_NEAR = 0.88
"""As of one letter in eight: an ``Alter`` is no ALT, ``LD`` no LDH, and IgG4 no IgG."""


@dataclass(frozen=True, kw_only=True)
class CohortColumn:
    """One column that a cohort may have."""

    name: str
    what: str
    holds: str
    """Number, whole number, word, date or text."""
    predictor: str = ""
    """Empty for what is no predictor."""
    unit: str = ""
    """That the name stands for; one of several columns for the same predictor, if it has others."""
    limits: Limits | None = None
    """Values beyond are refused; in the column's own unit."""
    usual: Limits | None = None
    """Values beyond raise a caution, many of them a notice; in the column's own unit."""
    words: tuple[str, ...] = ()
    needed: str = ""
    """Empty: never."""
    note: str = ""


def columns_of(name: str, declared: Declared) -> list[str]:
    """Return the columns that may carry a predictor, the one in the canonical unit first."""
    return list(declared.columns(name)) if isinstance(declared, Quantity) else [name]


def cohort_columns() -> tuple[CohortColumn, ...]:
    """Return every column of the contract; capitals stand for a name to be put in."""
    return (*_who_and_when(), *_what_happened(), *_measured(), *_about_measurements())


def _who_and_when() -> Iterator[CohortColumn]:
    yield CohortColumn(name="patient_id", what="one row a patient", holds="text", needed=ALWAYS)
    yield CohortColumn(name="site", what="the centre", holds="text", needed=TO_TRAIN)
    yield CohortColumn(
        name="infusion_date",
        what="of the first CAR-T infusion",
        holds="ISO 8601 date",
        needed=TO_TRAIN,
    )


def _what_happened() -> Iterator[CohortColumn]:
    for outcome in OUTCOMES.values():
        assert outcome.grade_column is not None
        yield CohortColumn(
            name=outcome.grade_column,
            what=f"{outcome.label}, highest grade within {outcome.horizon_days} days",
            holds="whole number",
            limits=(0, HIGHEST_GRADE),
            needed=f"for {outcome.name}",
            note=f"not needed where {outcome.flag_column} is there",
        )
    scales = tuple(scale.value for scale in GradingScale)
    yield CohortColumn(
        name="grading_scale",
        what="scale of the grades",
        holds="word",
        words=scales,
        needed="with grades",
        note="only ASTCT2019 is learnt from",
    )
    yield CohortColumn(
        name="outcome_NAME",
        what="whether the outcome NAME happened",
        holds="word",
        words=_YES_NO,
        needed="for NAME",
        note="where the outcome has no grade",
    )


def _measured() -> Iterator[CohortColumn]:
    for name in (*REQUIRED, *(n for n in PREDICTORS if n not in REQUIRED)):
        declared = PREDICTORS[name]
        needed = (TO_TRAIN if name == "age" else ALWAYS) if name in REQUIRED else ""
        if isinstance(declared, Quantity):
            yield from _quantity_columns(name, declared, needed)
            continue
        words = declared.choices if isinstance(declared, Category) else _YES_NO
        yield CohortColumn(
            name=name,
            what=declared.label,
            holds="word",
            predictor=name,
            words=words,
            needed=needed,
            note=declared.note,
        )


def _quantity_columns(name: str, declared: Quantity, needed: str) -> Iterator[CohortColumn]:
    for column, unit in declared.columns(name).items():
        yield CohortColumn(
            name=column,
            what=declared.label,
            holds="whole number" if declared.whole else "number",
            predictor=name,
            unit=unit,
            limits=limits_in(declared, unit, declared.hard),
            usual=limits_in(declared, unit, declared.soft),
            needed=needed,
            note=declared.note,
        )


def _about_measurements() -> Iterator[CohortColumn]:
    yield CohortColumn(
        name=f"PREDICTOR{MEASURED_AT}",
        what="when the predictor was measured, such as crp_measured_at",
        holds="ISO 8601 date",
    )
    yield CohortColumn(
        name=SYNTHETIC, what="whether the patient is simulated", holds="word", words=_YES_NO
    )


def similar_columns(name: str) -> list[str]:
    """Return the columns that an unknown name may mean, whatever its case and separators.

    The name of a predictor without a unit means each of its columns.
    """
    known, asked = _by_folded_name(), _folded(name)
    if asked in known:
        return list(known[asked])
    near = difflib.get_close_matches(asked, known, n=3, cutoff=_NEAR)
    return list(dict.fromkeys(known[key][0] for key in near))


@cache
def _by_folded_name() -> dict[str, list[str]]:
    known = {_folded(name): [name] for name in (*ADMINISTRATIVE, *GRADES)}
    known |= {_folded(o.flag_column): [o.flag_column] for o in OUTCOMES.values()}
    for name, declared in PREDICTORS.items():
        known[_folded(name + MEASURED_AT)] = [name + MEASURED_AT]
        columns = columns_of(name, declared)
        known |= {_folded(column): [column] for column in columns}
        known.setdefault(_folded(name), columns)
    return known


def _folded(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
