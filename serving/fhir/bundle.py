"""The Bundle: its resources, whose they are, and what refers to what."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from data_schemas.patient_request import Problem
from serving.fhir.elements import alike, an_object, is_modified, objects

TYPES = ("collection", "searchset", "transaction-response")
READ = ("Observation", "Condition", "MedicationRequest", "MedicationAdministration", "Procedure")
"""Each of these says whose it is, or is refused."""
_TRUSTED = (*READ, "Appointment", "Medication")
"""What one of these says counts for something: it must be known what it says."""
MOST_ENTRIES = 5_000
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_FULL_URL = re.compile(r"(?:https?|urn):[!-~]{1,500}")
_VERSION = re.compile(r"/_history/[^/]*$")


class Entry(NamedTuple):
    """A resource, where it stands, and how others refer to it."""

    resource: dict[str, Any]
    kind: str
    path: str
    reference: str
    full_url: str


class Resources:
    """Every resource of a Bundle."""

    def __init__(self, given: Any, root: str = "Bundle") -> None:
        """Sort the resources of the Bundle at ``root``; ``problems`` says what is none."""
        self.problems: list[Problem] = []
        self._root = root
        self._count = 0
        self.incomplete = False
        """Whether the Bundle says that more belongs to it, or that something failed."""
        self.left_out: list[Entry] = []
        """What has a ``modifierExtension``, and may mean the opposite of what it seems to say."""
        self.entries = list(self._entries(given, root))
        self._by_url = {entry.full_url: entry for entry in self.entries if entry.full_url}
        self._by_reference = {e.reference: e for e in reversed(self.entries) if e.reference}
        self.patient = self._patient()
        self._check_subjects()
        self._check_duplicates()

    def of(self, *kinds: str) -> Iterator[Entry]:
        """Yield the resources of these kinds, each once, in the Bundle's order."""
        seen: set[str] = set()
        for entry in self.entries:
            if entry.kind in kinds and entry.reference not in seen:
                seen.add(entry.reference)
                yield entry

    def find(self, reference: Any) -> Entry | None:
        """Return the resource of the Bundle that a Reference means."""
        text = an_object(reference).get("reference")
        if not isinstance(text, str):
            return None
        text = _VERSION.sub("", text)
        if text in self._by_url:
            return self._by_url[text]
        found = self._by_reference.get("/".join(text.split("/")[-2:]))
        if found is None or text == found.reference:
            return found
        # An address of another server means another resource, though its last words be the same.
        return None if found.full_url.startswith("http") else found

    def resource(self, within: Entry, reference: Any) -> dict[str, Any]:
        """Return what a Reference means, in the Bundle or contained in the resource itself."""
        text = an_object(reference).get("reference")
        if isinstance(text, str) and text.startswith("#"):
            contained = objects(within.resource.get("contained"))
            return next((one for one in contained if one.get("id") == text[1:]), {})
        found = self.find(reference)
        return found.resource if found else {}

    def _refuse(self, place: str, code: str, message: str) -> None:
        self.problems.append(Problem(place, code, message))

    def _entries(self, given: Any, path: str, nested: bool = False) -> Iterator[Entry]:
        if not isinstance(given, dict) or given.get("resourceType") != "Bundle":
            message = "must be a FHIR R4 Bundle, or Parameters whose parameter bundle holds one"
            self._refuse(path, "not_a_bundle", message)
            return
        if given.get("type") not in TYPES:
            message = f"the type of a Bundle must be one of: {', '.join(TYPES)}"
            self._refuse(f"{path}.type", "bundle_type", message)
        entries = given.get("entry", [])
        if not isinstance(entries, list):
            self._refuse(f"{path}.entry", "not_a_list", "must be a list of entries")
            return
        self._count += len(entries)
        if self._count > MOST_ENTRIES:
            message = f"a Bundle may hold at most {MOST_ENTRIES} entries"
            self._refuse(f"{path}.entry", "too_many_entries", message)
            return
        links = objects(given.get("link"))
        self.incomplete |= any(link.get("relation") == "next" for link in links)
        for i, entry in enumerate(entries):
            yield from self._entry(entry, f"{path}.entry[{i}]", nested)

    def _entry(self, entry: Any, path: str, nested: bool) -> Iterator[Entry]:
        if not isinstance(entry, dict):
            self._refuse(path, "not_an_object", "must be an object with a resource")
            return
        resource, path = entry.get("resource"), f"{path}.resource"
        if resource is None:
            status = an_object(entry.get("response")).get("status")
            self.incomplete |= isinstance(status, str) and not status.startswith("2")
            return
        kind = an_object(resource).get("resourceType")
        if not isinstance(kind, str):
            self._refuse(path, "not_a_resource", "must be a resource that names its resourceType")
        elif kind == "Bundle" and not nested:
            # A transaction of searches is answered by a searchset for each.
            yield from self._entries(resource, path, nested=True)
        elif kind == "OperationOutcome":
            severities = {one.get("severity") for one in objects(resource.get("issue"))}
            self.incomplete |= not severities.isdisjoint({"error", "fatal"})
        else:
            named = self._named(resource, kind, path, entry.get("fullUrl"))
            made = Entry(resource, kind, path, *named)
            if kind in _TRUSTED and is_modified(resource):
                self.left_out.append(made)
            else:
                yield made

    def _named(
        self, resource: dict[str, Any], kind: str, path: str, full_url: Any
    ) -> tuple[str, str]:
        given = resource.get("id")
        url = full_url if isinstance(full_url, str) and _FULL_URL.fullmatch(full_url) else ""
        if isinstance(given, str) and _ID.fullmatch(given) and kind.isascii() and kind.isalpha():
            return f"{kind}/{given}", url
        if not url and kind in (*READ, "Patient"):
            message = "needs an id or a fullUrl, by which the answer can refer to it"
            self._refuse(f"{path}.id", "no_reference", message)
        return url, url

    def _patient(self) -> Entry | None:
        patients = list(self.of("Patient"))
        if not patients and not any(p.field == self._root for p in self.problems):
            self._refuse(self._root, "required", "needs the Patient who is to be assessed")
        for another in patients[1:]:
            self._refuse(another.path, "several_patients", "a Bundle is about one Patient")
        if patients and is_modified(patients[0].resource):
            message = "may change what the Patient says, and no such extension is known here"
            self._refuse(f"{patients[0].path}.modifierExtension", "modifier_extension", message)
        return patients[0] if patients else None

    def _check_subjects(self) -> None:
        if self.patient is None:
            return
        for entry in self.entries:
            for name in ("subject", "patient"):
                if name in entry.resource:
                    self._check_subject(entry, name)
            if entry.kind in READ and "subject" not in entry.resource:
                message = "must say that it is about the Patient of the Bundle"
                self._refuse(f"{entry.path}.subject", "required", message)

    def _check_duplicates(self) -> None:
        for entry in self.entries:
            first = self._by_reference.get(entry.reference, entry)
            if entry is not first and not alike(entry.resource, first.resource):
                message = "another resource of this Bundle has the same id and says something else"
                self._refuse(entry.path, "duplicate", message)

    def _check_subject(self, entry: Entry, name: str) -> None:
        about = self.find(entry.resource[name])
        if about is None or about.reference != (self.patient and self.patient.reference):
            message = "must be about the Patient of the Bundle: nothing of anybody else is read"
            self._refuse(f"{entry.path}.{name}", "another_subject", message)
