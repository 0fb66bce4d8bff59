"""The course of treatment: which product, when, by whose order, and for which disease."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

from data_schemas.possible_dates import ONE_INFUSION_DAYS
from data_schemas.products import PRODUCT_SPELLINGS
from data_schemas.terminology import DISEASES_BY_CODE, DRUGS, PRODUCTS_BY_CODE
from serving.fhir.bundle import Entry, Resources
from serving.fhir.conditions import ACTIVE, NOT_CERTAIN, is_active, is_not_true, is_uncertain
from serving.fhir.elements import an_object, codings, meanings, moment, objects, once_each
from serving.fhir.reading import Reading

STATUSES = {
    "MedicationRequest": ("active", "on-hold", "draft", "completed"),
    "MedicationAdministration": ("in-progress", "on-hold", "completed"),
    "Procedure": ("preparation", "in-progress", "on-hold", "completed"),
    "Appointment": ("proposed", "pending", "booked", "arrived", "checked-in", "fulfilled"),
}
"""A resource with another status tells of nothing that is planned or was done."""
MOST_EVENTS = 1_000
"""Of one instruction; an infusion has one or two, a drug one a day."""
_SPELLINGS = {
    spelling.replace("_", " "): product
    for spelling, product in PRODUCT_SPELLINGS.items()
    if product != "other"
}
_SPELLED = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, _SPELLINGS))})(?!\w)")
_LONGEST_TEXT = 500
_NOT_THE_INFUSION = re.compile(
    r"\b(?:(?:leuk|leuc)?aph[eé]r|collect|harvest|manufactur|lymphod[eé]pl|"
    r"conditioning|konditionier|bridging|consult|counsel|educat|aufklär|evaluat|eligib|screen|"
    r"follow-?up|nachsorge|(?:before|prior|vor|avant)\b)"
)
"""How words begin that stand in a Procedure for the sake of an infusion, on another day."""


class Infusion(NamedTuple):
    """A resource that names a CAR-T product, and when, if it says so."""

    entry: Entry
    product: str
    when: str | None
    place: str
    by_text: bool
    verified: bool


class Course(NamedTuple):
    """When the infusion begins: as it was written, and as a time."""

    written: str
    start: datetime


def stands(entry: Entry) -> bool:
    """Tell whether a resource is to be read by its status, and is no order not to do something."""
    forbidden = entry.resource.get("doNotPerform") not in (None, False)
    return entry.resource.get("status") in STATUSES[entry.kind] and not forbidden


def moments(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield when something is planned or was done, with the FHIRPath of each."""
    resource, path = entry.resource, entry.path
    if entry.kind == "MedicationRequest":
        instructions = resource.get("dosageInstruction")
        for i, one in enumerate(instructions if isinstance(instructions, list) else []):
            events = an_object(an_object(one).get("timing")).get("event")
            for j, event in enumerate(events[:MOST_EVENTS] if isinstance(events, list) else []):
                if moment(event):
                    yield event, f"{path}.dosageInstruction[{i}].timing.event[{j}]"
        return
    if entry.kind == "Appointment":
        single, period, name = resource.get("start"), {}, "start"
    else:
        name = "performed" if entry.kind == "Procedure" else "effective"
        single = resource.get(f"{name}DateTime")
        period = an_object(resource.get(f"{name}Period"))
    for given, place in ((single, name), (period.get("start"), f"{name}.start")):
        if isinstance(given, str) and moment(given):
            yield given, f"{path}.{place}"


def concept(resources: Resources, entry: Entry) -> Any:
    """Return what a resource is about, as a CodeableConcept."""
    if entry.kind == "Procedure":
        return entry.resource.get("code")
    if (given := entry.resource.get("medicationCodeableConcept")) is not None:
        return given
    reference = entry.resource.get("medicationReference")
    return resources.resource(entry, reference).get("code")


def read_course(reading: Reading, resources: Resources) -> Course | None:
    """Read product, infusion date, order and disease."""
    infusions = list(_infusions(reading, resources))
    planned = _planned(reading, resources, infusions)
    _read_product(reading, resources, planned)
    course = _read_start(reading, resources, planned)
    _read_disease(reading, resources, planned)
    return course


def _infusions(reading: Reading, resources: Resources) -> Iterator[Infusion]:
    products = once_each(_products)
    for entry in resources.of("MedicationRequest", "Procedure", "MedicationAdministration"):
        if not stands(entry):
            continue
        named, by_text = products(concept(resources, entry))
        if named and by_text and _is_for_its_sake(entry):
            text = "named by a Procedure that speaks of something else than its infusion: not read"
            reading.warn("product", text)
            continue
        if len(named) > 1:
            message = "names several CAR-T products"
            reading.refuse(entry.path, "several_products", message)
        when, place = min(moments(entry), default=(None, entry.path), key=lambda one: one[0])
        for product, verified in named.items():
            yield Infusion(entry, product, when, place, by_text, verified)


def _products(about: Any) -> tuple[dict[str, bool], bool]:
    """Return the products that a CodeableConcept names, and whether it does so in words only.

    Of each, whether its code was read in its source.
    """
    coded = {code.means: code.verified == "read" for code in meanings(about, PRODUCTS_BY_CODE)}
    if not coded and any(meanings(about, DRUGS)):
        return {}, False
    return coded or dict.fromkeys(_named(about), True), not coded


def _named(about: Any) -> set[str]:
    """Return the products whose name or brand stands in the words of a CodeableConcept."""
    return {_SPELLINGS[spelling] for spelling in _SPELLED.findall(_words(about))}


def _is_for_its_sake(entry: Entry) -> bool:
    """Tell whether a Procedure is by its words none that gives the product: an apheresis for it."""
    about = entry.resource.get("code")
    return entry.kind == "Procedure" and bool(_NOT_THE_INFUSION.search(_words(about)))


def _words(about: Any) -> str:
    """Return the words of a CodeableConcept, as they are compared."""
    texts = [an_object(about).get("text"), *(coding.get("display") for coding in codings(about))]
    words = " ".join(text[:_LONGEST_TEXT] for text in texts if isinstance(text, str))
    return words[:_LONGEST_TEXT].replace("_", " ").casefold()


def _planned(reading: Reading, resources: Resources, infusions: list[Infusion]) -> list[Infusion]:
    """Part the infusion that is asked about from those of years ago."""
    last = max(_days(resources, infusions), default=None)
    planned = []
    for one in infusions:
        start, done = moment(one.when), one.entry.resource.get("status") == "completed"
        if start and last and done and (last - start.date()).days > ONE_INFUSION_DAYS:
            reading.take("prior_cart_or_bispecific", "yes", one.entry.path, one.entry)
        else:
            planned.append(one)
    return planned


def _days(resources: Resources, infusions: list[Infusion]) -> Iterator[date]:
    """Yield the days that resources name, and of an order without one that on which it was written.

    Whoever writes an order long after an infusion asks about another one.
    """
    references = {one.entry.reference for one in infusions}
    told: list[Any] = [when for when, _, _ in _appointments(resources, references)]
    told += [one.when or one.entry.resource.get("authoredOn") for one in infusions]
    yield from (start.date() for when in told if (start := moment(when)))


def _read_product(reading: Reading, resources: Resources, planned: list[Infusion]) -> None:
    products = dict.fromkeys(one.product for one in planned)
    if not products:
        message = (
            "product is required: a MedicationRequest, MedicationAdministration or Procedure "
            "that stands and names a CAR-T product by a known code or by name"
        )
        reading.refuse(reading.root, "required", message)
        return
    if len(products) > 1:
        for one in planned:
            message = "another resource of this Bundle names another CAR-T product"
            reading.refuse(one.entry.path, "several_products", message)
        return
    entries = list(dict.fromkeys(one.entry.reference for one in planned))
    reading.take("product", planned[0].product, planned[0].entry.path, planned[0].entry)
    reading.basis["product"] = entries
    if planned[0].by_text:
        reading.warn("product", "read from words, not from a code (product_from_text)")
    elif not planned[0].verified:
        reading.warn("product", "its code was not re-read in its source: compare product and code")
    orders = [one.entry for one in planned if one.entry.kind == "MedicationRequest"]
    if orders:
        reading.order = orders[0].reference
        encounter = resources.find(orders[0].resource.get("encounter"))
        if encounter is not None and encounter.kind == "Encounter":
            reading.encounter = encounter.reference


def _read_start(reading: Reading, resources: Resources, planned: list[Infusion]) -> Course | None:
    found = [(one.when, one.place, one.entry) for one in planned if one.when]
    found += list(_appointments(resources, {one.entry.reference for one in planned}))
    days = {when[:10] for when, _, _ in found}
    if not found:
        place = planned[0].entry.path if planned else reading.root
        message = (
            "needs the planned start of the infusion: dosageInstruction.timing.event of the order, "
            "performed of the Procedure, or an Appointment that refers to either"
        )
        reading.refuse(place, "required", message)
        return None
    if len(days) > 1:
        for _, place, _ in found:
            message = "another resource of this Bundle names another day of infusion"
            reading.refuse(place, "several_dates", message)
        return None
    written, place, entry = found[0]
    reading.take("infusion_date", written, place, entry)
    start = moment(written)
    assert start is not None
    return Course(written, start)


def _appointments(resources: Resources, planned: set[str]) -> Iterator[tuple[str, str, Entry]]:
    """Yield the starts of appointments for the infusion itself: those that refer to it."""
    for entry in resources.of("Appointment"):
        references = [
            *objects(entry.resource.get("supportingInformation")),
            *objects(entry.resource.get("reasonReference")),
        ]
        meant = {found.reference for one in references if (found := resources.find(one))}
        if stands(entry) and entry.reference and meant & planned:
            for when, place in moments(entry):
                yield when, place, entry


def _read_disease(reading: Reading, resources: Resources, planned: list[Infusion]) -> None:
    found = {entry.reference: (entry, disease) for entry, disease in _diseases(reading, resources)}
    reasons = {
        reason.reference
        for one in planned
        for reference in objects(one.entry.resource.get("reasonReference"))
        if (reason := resources.find(reference))
    }
    named = [found[reference] for reference in found if reference in reasons] or [*found.values()]
    if not named:
        message = (
            "disease is required: a Condition with a known code whose clinicalStatus is one of: "
            f"{', '.join(ACTIVE)}"
        )
        reading.refuse(reading.root, "required", message)
    elif len({disease for _, disease in named}) > 1:
        for entry, _ in named:
            message = (
                "another Condition says another disease: name one in the order's reasonReference"
            )
            reading.refuse(entry.path, "several_diseases", message)
    else:
        entry, disease = named[0]
        if is_uncertain(entry):
            reading.warn("disease", f"read from {NOT_CERTAIN}")
        reading.take("disease", disease, f"{entry.path}.code", entry)
        reading.condition = entry.reference


def _diseases(reading: Reading, resources: Resources) -> Iterator[tuple[Entry, str]]:
    for entry in resources.of("Condition"):
        means = {code.means for code in meanings(entry.resource.get("code"), DISEASES_BY_CODE)}
        if not means or is_not_true(entry):
            continue
        if not is_active(entry):
            reading.warn("disease", "a Condition with a known code is not active, and was not read")
            continue
        if len(means) > 1:
            message = "its codings mean several diseases"
            reading.refuse(f"{entry.path}.code", "several_diseases", message)
        yield entry, min(means)
