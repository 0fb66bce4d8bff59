"""The Parameters that a FHIR operation is invoked with, each sorted by its name.

A name that nobody knows is refused: a misspelt ``closedWorld`` would change an answer unnoticed.
"""

from typing import Any, NamedTuple

from data_schemas.patient_request import Problem

ELEMENTS = {"bundle": "resource", "reference": "valueString", "closedWorld": "valueCode"}
"""Every parameter, and the element in which its value stands."""
OFFERED = ("Condition",)
"""What a caller may hold to be complete."""
MOST_PARAMETERS = 100
_REPEATING = "closedWorld"


class Given(NamedTuple):
    """The value of a parameter, not yet read, and its FHIRPath."""

    value: Any
    place: str


class Parameters:
    """What the operation was invoked with; ``problems`` holds whatever is none of it."""

    def __init__(self, given: dict[str, Any]) -> None:
        """Sort a Parameters resource."""
        self.problems: list[Problem] = []
        self._found: dict[str, list[Given]] = {}
        parameters = given.get("parameter", [])
        if not isinstance(parameters, list):
            self._refuse("Parameters.parameter", "not_a_list", "must be a list of parameters")
            return
        if len(parameters) > MOST_PARAMETERS:
            message = f"Parameters may hold at most {MOST_PARAMETERS} parameters"
            self._refuse("Parameters.parameter", "too_many_parameters", message)
        for i, one in enumerate(parameters[:MOST_PARAMETERS]):
            self._sort(one, f"Parameters.parameter[{i}]")
        if "bundle" not in self._found:
            message = "needs a parameter named bundle, whose resource is the Bundle"
            self._refuse("Parameters", "required", message)

    def one(self, name: str) -> Given | None:
        """Return a parameter that is given once."""
        return next(iter(self._found.get(name, ())), None)

    def conditions_complete(self) -> str | None:
        """Return the FHIRPath where the caller says that no Condition is missing, if so."""
        for value, place in self._found.get("closedWorld", ()):
            if value in OFFERED:
                return place
        return None

    def _refuse(self, place: str, code: str, message: str, accepted: tuple[str, ...] = ()) -> None:
        self.problems.append(Problem(place, code, message, accepted))

    def _sort(self, given: Any, path: str) -> None:
        if not isinstance(given, dict):
            self._refuse(path, "not_an_object", "must be an object with a name and a value")
            return
        name = given.get("name")
        if not isinstance(name, str) or name not in ELEMENTS:
            message = "this operation has no parameter of this name"
            self._refuse(f"{path}.name", "unknown_parameter", message, tuple(ELEMENTS))
            return
        if name in self._found and name != _REPEATING:
            self._refuse(path, "repeated_parameter", "another parameter has the same name")
            return
        self._take(name, given, path)

    def _take(self, name: str, given: dict[str, Any], path: str) -> None:
        element, found = ELEMENTS[name], self._found.setdefault(name, [])
        # FHIRPath knows the choice of types as value alone.
        place = f"{path}.{'value' if element.startswith('value') else element}"
        if element in given:
            found.append(Given(given[element], place))
            if name == _REPEATING and given[element] not in OFFERED:
                message = "nothing else can be held to be complete"
                self._refuse(place, "not_a_choice", message, OFFERED)
        values = {key for key in given if key.startswith("value") or key in ("resource", "part")}
        if values != {element}:
            message = f"must be given as {element}, and in no other form beside it"
            self._refuse(place, "wrong_type", message)
