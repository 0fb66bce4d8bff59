"""The words in which one predictor is declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from data_schemas.units import IDENTITY, PURE_NUMBERS, Conversion, column_suffix, conversion

Tier = Literal["core", "disease_core", "optional", "research", "audit_only"]
Transform = Literal["identity", "log", "log1p", "sqrt"]
Group = Literal[
    "inflammation", "tumour", "blood counts", "organ function", "patient", "treatment", "product"
]


@dataclass(frozen=True, slots=True)
class Direction:
    """Which way the risk may move when the predictor rises: +1, -1, or 0 for "either".

    A declared direction is a promise: every model that uses the predictor keeps it.
    """

    severe_crs: int = 0
    severe_icans: int = 0

    def for_outcome(self, outcome: str) -> int:
        """Return the direction for an outcome; outcomes of other kinds have none declared."""
        return {"severe_crs": self.severe_crs, "severe_icans": self.severe_icans}.get(outcome, 0)


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What every predictor says of itself, whatever its kind."""

    label: str
    group: Group
    tier: Tier
    reason: str
    """Why the direction is as declared, or why none is."""
    reference: str
    direction: Direction = Direction()
    loinc: tuple[str, ...] = ()
    look_back_days: int | None = None
    """A measurement older than this at infusion raises a caution; None: never too old."""
    diseases: tuple[str, ...] = ()
    """Diseases in which the predictor has a meaning; empty: in all."""
    from_years: int = 0
    """Younger patients are not asked for it: what they lack is not missing."""
    note: str = ""

    def applies_to(self, disease: str) -> bool:
        """Tell whether the predictor has a meaning in this disease."""
        return not self.diseases or disease in self.diseases


@dataclass(frozen=True, kw_only=True)
class Quantity(Declared):
    """A number with a unit.

    ``hard`` limits are refused, ``soft`` limits raise a caution; both in the canonical unit.
    """

    unit: str
    hard: tuple[float, float]
    soft: tuple[float, float]
    accepts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Other accepted units, each with its exact factor to the canonical one."""
    transform: Transform = "identity"
    """The scale on which models read it: most laboratory values are multiplicative."""
    has_detection_limit: bool = False
    """Laboratories print ``<x`` where there is too little for their assay, and half of x stands for
    it; of an age below 18 or an LDH below its limit of normal half would say nothing."""
    has_largest_result: bool = False
    """Laboratories print ``>x`` where there is too much for their assay, and x stands for it."""
    whole: bool = False
    column_name: str = ""
    """The cohort column in the canonical unit, where the general rule does not give it."""

    @cached_property
    def conversions(self) -> Mapping[str, Conversion]:
        """Accepted unit to conversion, the canonical unit first."""
        return {self.unit: IDENTITY} | {u: conversion(rule) for u, rule in self.accepts.items()}

    def columns(self, name: str) -> dict[str, str]:
        """Return every cohort column that may carry this predictor, with its unit."""
        columns = {self.column_name or _join(name, column_suffix(self.unit)): self.unit}
        for unit in self.accepts if self.unit not in PURE_NUMBERS else ():
            columns.setdefault(_join(name, column_suffix(unit)), unit)
        return columns


@dataclass(frozen=True, kw_only=True)
class Category(Declared):
    """One of a closed list of words. ``unknown`` is a word like any other where it is listed."""

    choices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Flag(Declared):
    """Yes or no; missing is neither."""


Predictor = Quantity | Category | Flag


def _join(name: str, suffix: str) -> str:
    return f"{name}_{suffix}" if suffix else name
