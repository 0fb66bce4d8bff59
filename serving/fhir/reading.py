"""What was read from a Bundle, and what stood in the way."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from data_schemas.patient_request import Problem
from data_schemas.predictors import PREDICTORS
from serving.fhir.bundle import Entry


@dataclass
class Reading:
    """A patient as ``/v1/assess`` reads one, and where each value came from."""

    root: str = "Bundle"
    """The FHIRPath of the Bundle within what was sent."""
    record: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    """Predictor to the FHIRPath of the element it was read from."""
    basis: dict[str, list[str]] = field(default_factory=dict)
    """Predictor to references of the resources it was read from."""
    problems: list[Problem] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    doubted: set[str] = field(default_factory=set)
    """Predictors about which something was found that was left out or needs care."""
    subject: str = ""
    order: str | None = None
    condition: str | None = None
    encounter: str | None = None

    def take(self, name: str, value: Any, place: str, *entries: Entry) -> None:
        """Put a value into the record."""
        self.record[name] = value
        self.places[name] = place
        self.basis[name] = [entry.reference for entry in entries]

    def refuse(self, place: str, code: str, message: str) -> None:
        """Say what is wrong with the element at a FHIRPath."""
        self.problems.append(Problem(place, code, message))

    def warn(self, about: str, text: str) -> None:
        """Say what was left out or needs care; about a predictor or in general, never a value."""
        self.doubted.add(about)
        declared = PREDICTORS.get(about)
        self.warnings[f"{declared.label if declared else about}: {text}"] += 1

    def warned(self) -> list[str]:
        """Return each warning once, with how often it was given."""
        return [f"{text} ({n} times)" if n > 1 else text for text, n in self.warnings.items()]
