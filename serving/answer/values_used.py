"""What was sent beside what was used, and what the models would have used."""

from collections.abc import Collection, Iterable, Mapping
from itertools import product

from orjson import Fragment

from data_schemas.patient_request import PatientRequest
from data_schemas.predictors import PREDICTORS, Category, Flag, Quantity
from data_schemas.products import DISEASES
from data_schemas.risk_assessment import MissingPredictor, ValueUsed
from serving.answer.compiled_terms import UNKNOWN
from serving.answer.told import fragment
from serving.answer.words import label_of
from serving.model.inputs import Inputs
from serving.model.tumour_burden import BURDEN


class ValuesUsed:
    """Shows the values of one patient at a time."""

    def __init__(self, inputs: Inputs) -> None:
        """Settle what depends on the models alone, from what they read."""
        self._used, self._counted = inputs.always, inputs.counted
        self._words: dict[tuple[str, float | str | bool, bool, bool], Fragment] = {
            (name, value, used, counted): _word(
                name, value, used=used and value != UNKNOWN, counted=counted and value != UNKNOWN
            )
            for name, declared in PREDICTORS.items()
            for value in _possible(declared)
            for used, counted in product((True, False), repeat=2)
        }

    def of(
        self, request: PatientRequest, disease: str, days: Mapping[str, int], burden: str | None
    ) -> list[object]:
        """Return the fields of a :class:`ValueUsed` for each value, in the contract's order.

        Parameters
        ----------
        burden
            The one measure of tumour burden that the models used, if any.
        """
        measurements, in_disease = request.measurements, self._counted[disease]
        made: list[object] = []
        for name, value in request.values.items():
            used = name in self._used or name == burden
            counted = used and name in in_disease
            if name not in measurements:
                made.append(self._words[name, value, used, counted])
                continue
            canonical, sent, sent_unit, _ = measurements[name]
            label, unit = _QUANTITIES[name]
            shown: dict[str, object] = {
                "predictor": name,
                "label": label,
                "value": canonical,
                "unit": unit,
                "sent_value": sent,
                "sent_unit": sent_unit,
                "converted": sent_unit != unit,
            }
            if name in days:
                shown["days_before_infusion"] = days[name]
            shown["used_by_model"] = used
            shown["counted"] = counted
            made.append(shown)
        return made


_QUANTITIES = {n: (d.label, d.unit) for n, d in PREDICTORS.items() if isinstance(d, Quantity)}


def _word(name: str, value: str | bool, *, used: bool, counted: bool) -> Fragment:
    shown = ValueUsed(
        predictor=name,
        label=PREDICTORS[name].label,
        value=value,
        used_by_model=used,
        counted=counted,
    )
    return fragment(shown.model_dump(mode="json", exclude_none=True))


def _possible(declared: object) -> tuple[str | bool, ...]:
    if isinstance(declared, Category):
        return declared.choices
    return (True, False) if isinstance(declared, Flag) else ()


class MissingPredictors:
    """Lists what the models would have used, one patient at a time."""

    def __init__(self, used: Iterable[str]) -> None:
        """Settle which predictors have a meaning in which disease."""
        wanted = set(used)
        names = [name for name in PREDICTORS if name in wanted]
        burden = [BURDEN] if BURDEN in wanted else []
        self._wanted = {
            disease: [name for name in names if PREDICTORS[name].applies_to(disease)] + burden
            for disease in DISEASES
        }
        self._json = {
            name: fragment(MissingPredictor(predictor=name, label=label_of(name)).model_dump())
            for name in (*names, *burden)
        }

    def of(self, disease: str, measured: Collection[str]) -> list[str]:
        """Return the names of what was not measured, in the contract's order."""
        return [name for name in self._wanted[disease] if name not in measured]

    def shown(self, names: Iterable[str]) -> list[Fragment]:
        """Return a :class:`MissingPredictor` for each name."""
        return [self._json[name] for name in names]
