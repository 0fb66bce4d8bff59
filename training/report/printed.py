"""Numbers and words as the page prints them, each with the place in ``report.json`` it comes from.

A place is a path such as ``evaluation.subgroups.0.cells.2.auroc.value``.
"""

import math
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from training.report.labels import prediction_label, said

MINUS, SPACE = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"
_DIGITS, _MOST_PLACES = 3, 4


def _decimals(places: int, sign: str = "") -> Callable[[float], str]:
    def printed(value: float) -> str:
        text = f"{value:{sign}.{places}f}"
        zero = float(text) == 0
        return (text.lstrip("+-") if zero else text).replace("-", MINUS)

    return printed


def _measured(value: float) -> str:
    """Print a laboratory's number with three digits that count, or all whole ones."""
    size = math.floor(math.log10(abs(value))) if value else 0
    places = min(max(_DIGITS - 1 - size, 0), _MOST_PLACES)
    text = _decimals(places)(value)
    return text.rstrip("0").rstrip(".") if places else text


def _percent(places: int) -> Callable[[float], str]:
    decimals = _decimals(places)
    return lambda share: f"{decimals(100 * share)}{SPACE}%"


FORMS: dict[str, Callable[[Any], str]] = {
    "count": lambda value: f"{round(value):d}",
    "0": _decimals(0),
    "0.0": _decimals(1),
    "measured": _measured,
    "0.00": _decimals(2),
    "0.000": _decimals(3),
    "0.0000": _decimals(4),
    "+0.00": _decimals(2, "+"),
    "+0.000": _decimals(3, "+"),
    "+0.0000": _decimals(4, "+"),
    "%": _percent(0),
    "0.0 %": _percent(1),
    "text": str,
    "sentence": lambda text: text[:1].upper() + text[1:],
    "words": said,
    "prediction": prediction_label,
    "yes or no": lambda value: "yes" if value else "no",
    "short hash": lambda text: text[:12],
}
"""How a value is printed, by the name that stands in ``data-as``."""


class Printer:
    """Prints places of a document, the JSON of a report as plain data."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def get(self, place: str) -> Any:
        """Return what stands at a place.

        Raises
        ------
        LookupError
            If there is no such place.
        """
        found: Any = self._document
        for step in place.split("."):
            found = found[int(step)] if isinstance(found, list) else found[step]
        return found

    def places(self, place: str) -> list[str]:
        """Return the places of a list's items."""
        return [f"{place}.{i}" for i in range(len(self.get(place)))]

    def some(self, place: str, most: int) -> list[int]:
        """Return the numbers of at most so many items of a list, evenly from first to last."""
        n = len(self.get(place))
        if n <= most:
            return list(range(n))
        return [round(i * (n - 1) / (most - 1)) for i in range(most)]

    def value(self, place: str, form: str = "text") -> Markup:
        """Print the value at a place; a dash and the word "none" where it is None."""
        value = self.get(place)
        text = "none" if value is None else FORMS[form](value)
        return Markup('<span data-path="{}" data-as="{}">{}</span>').format(place, form, text)

    def estimate(self, place: str, form: str) -> Markup:
        """Print an estimate as value (low to high), or the reason why there is none."""
        found = self.get(place)
        if found["value"] is None:
            return self.absent(f"{place}.reason")
        value = self.value(f"{place}.value", form)
        if found["low"] is None:
            return value
        ends = (self.value(f"{place}.{end}", form) for end in ("low", "high"))
        return Markup("{} <small>({} to {})</small>").format(value, *ends)

    def on_curve(self, place: str, point: int, form: str) -> Markup:
        """Print one point of a curve with its band, where it has one."""
        value = self.value(f"{place}.value.{point}", form)
        if self.get(f"{place}.low") is None:
            return value
        ends = (self.value(f"{place}.{end}.{point}", form) for end in ("low", "high"))
        return Markup("{} <small>({} to {})</small>").format(value, *ends)

    def absent(self, place: str) -> Markup:
        """Print the reason why something is not there."""
        return Markup('<span class="absent">{}</span>').format(self.value(place))
