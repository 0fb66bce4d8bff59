"""The typical patient: centres and spreads that the model's terms are measured from.

Published where a distribution was found, and marked ``assumed`` where none was.
"""

import math
import tomllib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from statistics import NormalDist
from typing import Annotated, ClassVar, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from data_schemas.evidence.loading import EvidenceError, Problem, broken_rules
from data_schemas.evidence.row import Finding
from data_schemas.evidence.vocabulary import Number, Probability
from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.products import DISEASES, PRODUCTS

FILE = "typical_values.toml"
EVERYWHERE = "*"

_LEVELS = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)
_READ_AS_A_MULTIPLE = {"ldh": "ldh_ratio", "creatinine": "creatinine_ratio"}
_SOURCE = "compare with the source"

_Spread = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class _Row(BaseModel, ABC):
    model_config = ConfigDict(extra="forbid", frozen=True)
    ABOUT: ClassVar[tuple[str, ...]]
    """The fields that together name a row: no two rows are about the same."""

    basis: tuple[str, ...] = ()
    assumed: bool = False
    how: str

    @model_validator(mode="after")
    def _has_a_source(self) -> "_Row":
        if not self.basis and not self.assumed:
            raise ValueError("a typical value needs a basis, or must be marked as assumed")
        return self

    @property
    def about(self) -> tuple[str, ...]:
        """What no other row is about."""
        return tuple(getattr(self, name) for name in self.ABOUT)

    @abstractmethod
    def findings(self) -> Iterator[Finding]:
        """Rules between its fields, and of the contract, that the row breaks."""


class TypicalValue(_Row):
    """Median in the canonical unit and spread on the transformed scale, by disease or ``"*"``.

    ``product`` is ``"*"`` but where its patients in a disease are typically other ones.
    """

    ABOUT = ("predictor", "disease", "product")

    predictor: str
    transform: str
    disease: str
    product: str = EVERYWHERE
    centre: Number
    spread: _Spread

    @model_validator(mode="after")
    def _is_never_missing(self) -> "TypicalValue":
        """Ranges of what a missing predictor leaves open are those of the disease."""
        if self.product != EVERYWHERE and self.predictor != "age":
            raise ValueError("only age, without which no risk is given, may be a product's own")
        return self

    def findings(self) -> Iterator[Finding]:
        """Rules of the contract that the row breaks."""
        if self.disease not in (EVERYWHERE, *DISEASES):
            limit = f"{self.disease!r} is not a disease"
            yield Finding("disease", limit, f"use one of {', '.join(DISEASES)}, or {EVERYWHERE!r}")
        if self.product not in (EVERYWHERE, *PRODUCTS):
            limit = f"{self.product!r} is not a product"
            yield Finding("product", limit, "use a word that `cart-risk columns` lists")
        declared = PREDICTORS.get(self.predictor)
        if not isinstance(declared, Quantity):
            limit = f"{self.predictor!r} is not a quantity of the contract"
            yield Finding("predictor", limit, "correct the spelling or remove the row")
            return
        transform = _READ_AS_A_MULTIPLE.get(self.predictor, declared.transform)
        if self.transform != transform:
            limit = f"{self.transform!r} is not how {self.predictor} is read"
            yield Finding("transform", limit, f'use "{transform}", and a spread on its scale')
        low, high = declared.soft
        if not low <= self.centre <= high:
            limit = f"{self.centre:g} must lie within {low:g} to {high:g} {declared.unit}"
            yield Finding("centre", limit, _SOURCE)


class BurdenMeasure(_Row):
    """Quantiles of one measure of tumour burden: given as knots, or log-normal."""

    ABOUT = ("measure",)

    measure: str
    levels: tuple[Probability, ...] = ()
    values: tuple[Number, ...] = ()
    median: _Spread | None = None
    spread: _Spread | None = None
    scale: Literal["identity", "log"] = "identity"

    def curve(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return increasing values and the percentiles (0 to 1) that they stand at."""
        if self.median is None or self.spread is None:
            return self.values, self.levels
        normal = NormalDist()
        distances = [self.spread * normal.inv_cdf(level) for level in _LEVELS]
        return tuple(self.median * math.exp(distance) for distance in distances), _LEVELS

    def findings(self) -> Iterator[Finding]:
        """Rules that the row breaks: it must be a curve, and of one kind."""
        if self.measure not in PREDICTORS:
            limit = f"{self.measure!r} is not a predictor of the contract"
            yield Finding("measure", limit, "correct the spelling or remove the row")
        log_normal = self.median is not None and self.spread is not None
        neither = self.median is None and self.spread is None
        if log_normal == bool(self.levels or self.values) or not (log_normal or neither):
            limit = "a curve is given by median and spread, or by levels and values"
            yield Finding("median", limit, "give both of one kind and none of the other")
        elif len(self.levels) != len(self.values) or len(self.levels) == 1:
            limit = f"{len(self.levels)} levels and {len(self.values)} values"
            yield Finding("levels", limit, "give a level for each of two values or more")
        for name in ("levels", "values"):
            knots = getattr(self, name)
            if list(knots) != sorted(set(knots)):
                yield Finding(name, "must rise from each to the next", _SOURCE)


class TypicalTables(NamedTuple):
    """The two tables of the file, in its order."""

    values: tuple[TypicalValue, ...]
    burden: tuple[BurdenMeasure, ...]


_AnyRow = TypeVar("_AnyRow", bound=_Row)


def typical_values() -> tuple[TypicalValue, ...]:
    """Return the centres and spreads."""
    return _packaged().values


def typical_value(
    predictor: str, disease: str = EVERYWHERE, product: str = EVERYWHERE
) -> TypicalValue | None:
    """Return the row that says most of a product's patients in a disease, None without any."""
    rows = _by_patients()
    return (
        rows.get((predictor, disease, product))
        or rows.get((predictor, disease, EVERYWHERE))
        or rows.get((predictor, EVERYWHERE, EVERYWHERE))
    )


def burden_measures() -> tuple[BurdenMeasure, ...]:
    """Return the quantiles of the measures of tumour burden."""
    return _packaged().burden


@cache
def _by_patients() -> dict[tuple[str, str, str], TypicalValue]:
    return {(row.predictor, row.disease, row.product): row for row in typical_values()}


@cache
def _packaged() -> TypicalTables:
    return read_typical_values(files("data_schemas.evidence") / FILE)


def read_typical_values(path: Traversable) -> TypicalTables:
    """Read and check the typical patient; that a basis is a row of the evidence, a test says.

    Raises
    ------
    EvidenceError
        If anything is wrong; all problems are listed together.
    """
    problems: list[Problem] = []
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem = Problem(FILE, "-", "-", f"not TOML: {error}", "correct the line")
        raise EvidenceError((problem,)) from None
    for name in sorted(document.keys() - {"typical", "burden"}):
        limit, remedy = "is not a table of this file", "use [[typical]] or [[burden]]"
        problems.append(Problem(FILE, "-", name, limit, remedy))
    values = _rows(document, "typical", TypicalValue, problems)
    burden = _rows(document, "burden", BurdenMeasure, problems)
    named = Counter(row.predictor for row in values)
    of_all = {row.predictor for row in values if row.disease == row.product == EVERYWHERE}
    problems += [
        Problem(FILE, name, "disease", f"no row for all diseases ({EVERYWHERE!r})", "add the row")
        for name in sorted(named.keys() - of_all)
    ]
    if problems:
        raise EvidenceError(tuple(problems))
    return TypicalTables(values, burden)


def _rows(
    document: dict[str, object], name: str, model: type[_AnyRow], problems: list[Problem]
) -> tuple[_AnyRow, ...]:
    """Return the sound rows of a table; every problem of the others joins the problems."""
    raw_rows = document.get(name)
    if not isinstance(raw_rows, list) or not raw_rows:
        problems.append(Problem(FILE, "-", name, "must be a list of tables", f"use [[{name}]]"))
        return ()
    rows: list[_AnyRow] = []
    for number, raw in enumerate(raw_rows, start=1):
        place = _place(name, number, raw)
        try:
            row = model.model_validate(raw)
        except ValidationError as error:
            problems.extend(broken_rules(error, FILE, place))
            continue
        problems.extend(Problem(FILE, place, *finding) for finding in row.findings())
        rows.append(row)
    for about, times in Counter(row.about for row in rows).items():
        if times > 1:
            limit = f"stands {times} times"
            problems.append(Problem(FILE, " ".join((name, *about)), "-", limit, "keep one row"))
    return tuple(rows)


def _place(name: str, number: int, raw: object) -> str:
    """Name a row by its place and by what it is about, where it tells that."""
    about = [raw.get("predictor", raw.get("measure"))] if isinstance(raw, dict) else []
    return " ".join((name, str(number), *(word for word in about if isinstance(word, str))))
