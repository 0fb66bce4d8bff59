"""What every service of the benchmark is asked, and what it has to answer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from contenders import Asked, Contender
from simulated_requests import as_record, requests, wrapped

from data_schemas.evidence import load_evidence
from data_schemas.patient_request import read_patient
from serving.assess import Assessor
from serving.model.store import load_current

PATIENTS = 400
COMPARED = 50
"""Answers of a service that are compared with our own before it is measured."""


class Disagreement(Exception):
    """A service that says something else about a patient: it is no peer."""


@dataclass(frozen=True)
class Questions:
    """The same patients in every form, in files of one body a line, and some of our answers."""

    files: dict[str, Path]
    answers: list[dict[str, Any]]

    @classmethod
    def written(cls, store: Path, place: Path, seed: int) -> "Questions":
        """Write simulated patients into a place, and answer some by the models of a store."""
        plain = requests(PATIENTS, seed)
        forms = {
            "request": plain,
            "wrapped": [wrapped(one) for one in plain],
            "record": [as_record(one) for one in plain],
        }
        files = {form: place / f"{form}.jsonl" for form in forms}
        for form, bodies in forms.items():
            files[form].write_bytes(b"".join(body + b"\n" for body in bodies))
        assessor = Assessor(load_current(store), load_evidence())
        asked = [read_patient(orjson.loads(one)) for one in plain[:COMPARED]]
        return cls(files, [orjson.loads(assessor.assess(one).to_json()) for one in asked])

    def expect_same(self, contender: Contender, asked: Asked) -> None:
        """Compare what a service answers with our own answers.

        Raises
        ------
        Disagreement
            If the service says anything else.
        """
        headers = {"authorization": f"Bearer {asked.key}", "content-type": "application/json"}
        bodies = self.files[contender.form].read_bytes().splitlines()[:COMPARED]
        with httpx.Client(headers=headers, timeout=30) as client:
            for body, ours in zip(bodies, self.answers, strict=True):
                said = client.post(asked.address, content=body).raise_for_status().json()
                if not contender.agrees(said, ours):
                    raise Disagreement(contender.name)
