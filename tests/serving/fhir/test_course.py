"""Product, infusion date, order and disease."""

from typing import Any

import pytest

from data_schemas.products import PRODUCTS
from data_schemas.terminology import DISEASES_BY_CODE, PRODUCTS_BY_CODE
from data_schemas.terminology.tables import _ADDRESSES as ADDRESSES
from tests.serving.fhir.resources import (
    ATC,
    ICD10,
    SNOMED,
    SUBJECT,
    concept,
    condition,
    drug,
    procedure,
    read,
    refused,
    said_in_germany,
)

ORDER = "Bundle.entry[2].resource"
EVERY_PRODUCT = [
    (row, address) for row in PRODUCTS_BY_CODE.rows for address in ADDRESSES[row.system]
]


@pytest.mark.parametrize(("row", "address"), EVERY_PRODUCT)
def test_every_product_code_is_read(row: Any, address: str) -> None:
    reading = read(m1={"medicationCodeableConcept": concept(address, row.code)})
    assert reading.record["product"] == row.means
    assert reading.basis["product"] == ["MedicationRequest/m1"]
    assert reading.order == "MedicationRequest/m1"
    told = any("not re-read in its source" in text for text in reading.warned())
    assert told is (row.verified == "unread")


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("axicabtagene ciloleucel", "axicabtagene_ciloleucel"),
        ("YESCARTA infusion bag, 68 mL", "axicabtagene_ciloleucel"),
        ("Tisa-cel (Kymriah)", "tisagenlecleucel"),
        ("obecabtagene_autoleucel", "obecabtagene_autoleucel"),
    ],
)
@pytest.mark.parametrize("form", ["text", "display"])
def test_a_name_is_read_with_a_warning_where_no_code_is_known(
    text: str, product: str, form: str
) -> None:
    about = {"text": text} if form == "text" else {"coding": [{"display": text}]}
    reading = read(m1={"medicationCodeableConcept": about})
    assert reading.record["product"] == product
    assert any("product_from_text" in one for one in reading.warned())


@pytest.mark.parametrize("text", ["no axi-cells", "unyescarta", "other", "aspirin", "", 5])
def test_a_name_is_a_whole_word(text: Any) -> None:
    assert ("Bundle", "required") in refused(read(m1={"medicationCodeableConcept": {"text": text}}))


@pytest.mark.parametrize(
    "text",
    [
        "Leukapheresis for Yescarta manufacturing",
        "Lymphodepletion prior to YESCARTA",
        "Consultation: axi-cel",
    ],
)
@pytest.mark.parametrize("day", ["2026-01-20", "2026-03-09"])
def test_a_procedure_for_the_sake_of_an_infusion_is_none(text: str, day: str) -> None:
    reading = read(procedure("x", "", day) | {"code": {"text": text}})
    assert reading.problems == []
    assert reading.record["infusion_date"].startswith("2026-03-14")
    assert "prior_cart_or_bispecific" not in reading.record
    assert any("something else than its infusion" in one for one in reading.warned())


@pytest.mark.parametrize(
    "text",
    ["Infusion of Yescarta", "CAR-T cell infusion (axi-cel)", "YESCARTA® IV", "Gabe von Yescarta"],
)
def test_a_procedure_that_is_the_infusion_is_read_from_words(text: str) -> None:
    reading = read(procedure("x", "", "2026-03-14") | {"code": {"text": text}}, m1=None)
    assert reading.problems == []
    assert reading.record["product"] == "axicabtagene_ciloleucel"


def test_another_drug_is_no_product_whatever_stands_beside_it() -> None:
    about = concept(ATC, "L01AA09", text="bendamustine, bridging before Yescarta")
    reading = read(drug("b", "", "2026-02-20", medicationCodeableConcept=about))
    assert reading.problems == []
    assert reading.record["bridging"] == "chemo"


def test_a_code_outweighs_words() -> None:
    about = concept(ATC, "L01XL04", text="not axi-cel")
    reading = read(m1={"medicationCodeableConcept": about})
    assert reading.record["product"] == "tisagenlecleucel"


@pytest.mark.parametrize("contained", [True, False])
def test_a_medication_is_followed(contained: bool) -> None:
    medication = {"resourceType": "Medication", "id": "drug", "code": concept(ATC, "L01XL06")}
    change = {"medicationCodeableConcept": None}
    if contained:
        about = {"medicationReference": {"reference": "#drug"}, "contained": [medication]}
        reading = read(m1=change | about)
    else:
        about = {"medicationReference": {"reference": "Medication/drug"}}
        reading = read(medication, m1=change | about)
    assert reading.record["product"] == "brexucabtagene_autoleucel"


class _Counted(dict[str, Any]):
    """A CodeableConcept that counts how often its codings are looked at."""

    looked = 0

    def get(self, name: str, default: Any = None) -> Any:
        self.looked += name == "coding"
        return super().get(name, default)


@pytest.mark.parametrize("orders", [2, 60])
def test_what_many_orders_refer_to_is_read_as_often_as_for_one(orders: int) -> None:
    def looked(times: int) -> int:
        about = _Counted(concept(ATC, "L01XL06"))
        medication = {"resourceType": "Medication", "id": "drug", "code": about}
        referring = {"medicationReference": {"reference": "Medication/drug"}}
        more = [
            drug(f"order-{i}", "", "2026-03-14", medicationCodeableConcept=None, **referring)
            for i in range(times)
        ]
        read(medication, *more, m1=None)
        return about.looked

    assert looked(orders) == looked(1) > 0


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "stopped", "unknown", None, 5])
def test_an_order_that_does_not_stand_is_not_read(status: Any) -> None:
    found = refused(read(m1={"status": status}))
    assert found == [("Bundle", "required"), ("Bundle", "required")]


@pytest.mark.parametrize("forbidden", [True, "true", 1])
def test_an_order_not_to_give_is_no_order(forbidden: Any) -> None:
    found = refused(read(m1={"doNotPerform": forbidden}))
    assert found == [("Bundle", "required"), ("Bundle", "required")]
    assert read(m1={"doNotPerform": False}).problems == []


@pytest.mark.parametrize("status", ["active", "draft", "on-hold", "completed"])
def test_an_order_that_stands_is_read(status: str) -> None:
    assert read(m1={"status": status}).problems == []


def test_procedure_and_administration_name_product_and_date() -> None:
    for one in (
        procedure("x", "XW033H7", "2026-03-14"),
        procedure("x", "XW033H7", "x", performedPeriod={"start": "2026-03-14"}),
        drug("x", "L01XL03", "2026-03-14", "MedicationAdministration"),
    ):
        reading = read(one, m1=None)
        assert reading.problems == []
        assert reading.record["product"] == "axicabtagene_ciloleucel"
        assert reading.record["infusion_date"] == "2026-03-14"
        assert reading.order is None
        assert reading.basis["infusion_date"] == [f"{one['resourceType']}/x"]


def test_resources_that_agree_are_all_the_basis() -> None:
    reading = read(procedure("x", "XW033H7", "2026-03-14"))
    assert reading.problems == []
    assert reading.basis["product"] == ["MedicationRequest/m1", "Procedure/x"]


def test_two_products_are_a_conflict() -> None:
    other = drug("m2", "L01XL04", "2026-03-14", status="active")
    assert refused(read(other)) == [
        (ORDER, "several_products"),
        ("Bundle.entry[13].resource", "several_products"),
    ]
    both = {"coding": [{"system": ATC, "code": c} for c in ("L01XL03", "L01XL04")]}
    assert (ORDER, "several_products") in refused(read(m1={"medicationCodeableConcept": both}))


def test_two_days_are_a_conflict() -> None:
    other = procedure("x", "XW033H7", "2026-03-15", status="preparation")
    assert [code for _, code in refused(read(other))] == ["several_dates", "several_dates"]


def test_an_infusion_of_long_ago_is_an_earlier_treatment() -> None:
    reading = read(procedure("x", "XW033J7", "2025-11-01"))
    assert reading.problems == []
    assert reading.record["product"] == "axicabtagene_ciloleucel"
    assert reading.record["prior_cart_or_bispecific"] == "yes"
    assert reading.basis["prior_cart_or_bispecific"] == ["Procedure/x"]
    recent = read(procedure("x", "XW033J7", "2026-02-20"))
    assert "several_products" in dict(map(reversed, refused(recent)))


@pytest.mark.parametrize("code", ["XW033H7", "XW033J7"])
def test_an_order_without_a_day_is_not_that_of_an_infusion_of_years_ago(code: str) -> None:
    """The same product or another: who ordered it long after asks about the infusion to come."""
    change = {"dosageInstruction": None, "authoredOn": "2026-03-01"}
    reading = read(procedure("x", code, "2024-03-14"), m1=change)
    assert refused(reading) == [(ORDER, "required")]
    assert reading.record["prior_cart_or_bispecific"] == "yes"
    with_day = read(procedure("x", code, "2024-03-14"), appointment(), m1=change)
    assert with_day.problems == []
    assert with_day.record["infusion_date"] == "2026-03-14T09:00:00+01:00"


def test_an_order_that_was_carried_out_has_the_day_on_which_it_was() -> None:
    change = {"dosageInstruction": None, "authoredOn": "2026-03-01"}
    reading = read(procedure("x", "XW033H7", "2026-03-14"), m1=change)
    assert reading.problems == []
    assert reading.record["infusion_date"] == "2026-03-14"
    assert "prior_cart_or_bispecific" not in reading.record


def test_without_a_planned_date_there_is_no_window() -> None:
    reading = read(m1={"dosageInstruction": None}, crp={"valueQuantity": {"value": 1}})
    assert refused(reading) == [(ORDER, "required")]
    assert "measured_at" not in reading.record["ferritin"]
    assert "age" not in reading.record


def test_of_a_split_infusion_the_first_part_counts() -> None:
    events = ["2026-03-23", "2026-03-14", "2026-03", 5]
    instructions = [5, {"timing": {"event": events}}]
    reading = read(m1={"dosageInstruction": instructions})
    assert reading.record["infusion_date"] == "2026-03-14"
    assert reading.places["infusion_date"].endswith("dosageInstruction[1].timing.event[1]")


def appointment(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Appointment",
        "id": "a1",
        "status": "booked",
        "start": "2026-03-14T09:00:00+01:00",
        "supportingInformation": [{"reference": "MedicationRequest/m1"}],
        **more,
    }


def test_an_appointment_that_refers_to_the_order_is_its_date() -> None:
    without = {"dosageInstruction": None}
    reading = read(appointment(), m1=without)
    assert reading.record["infusion_date"] == "2026-03-14T09:00:00+01:00"
    assert reading.basis["infusion_date"] == ["Appointment/a1"]
    for wrong in ({"supportingInformation": None}, {"status": "cancelled"}, {"start": None}):
        assert refused(read(appointment(**wrong), m1=without)) == [(ORDER, "required")]
    assert "several_dates" in dict(
        map(reversed, refused(read(appointment(start="2026-03-16T09:00:00Z"))))
    )


def test_the_encounter_of_the_order_is_named_where_it_is_known() -> None:
    encounter = {"resourceType": "Encounter", "id": "e1", "subject": SUBJECT}
    change = {"encounter": {"reference": "Encounter/e1"}}
    assert read(encounter, m1=change).encounter == "Encounter/e1"
    assert read(m1=change).encounter is None
    assert read(m1={"encounter": SUBJECT}).encounter is None


@pytest.mark.parametrize("row", DISEASES_BY_CODE.rows, ids=lambda row: row.code)
def test_every_disease_code_is_read(row: Any) -> None:
    for address in ADDRESSES[row.system]:
        reading = read(c1={"code": concept(address, row.code)})
        assert reading.record["disease"] == row.means
        assert reading.condition == "Condition/c1"


@pytest.mark.parametrize(
    ("code", "disease"),
    [
        ("C83.38", "LBCL"),
        ("C83.390", "LBCL"),
        ("C83.398", "LBCL"),
        ("C83.3A", "LBCL"),
        ("C85.28", "PMBCL"),
        ("C85.89", None),
        ("C82.69", "other"),
        ("C88.40", "MZL"),
        ("C91.02", "B_ALL"),
        ("C91.A0", None),
        ("C90.10", None),
        ("D47.Z1", None),
        ("C82.41", "FL"),
        ("C90.02", "MM"),
        ("C83.0", None),
        ("C85.1", None),
        ("C83", None),
        ("", None),
        ("c83.3", None),
    ],
)
def test_a_code_stands_for_those_below_it(code: str, disease: str | None) -> None:
    assert read(c1={"code": concept(ICD10, code)}).record.get("disease") == disease


def test_below_a_concept_of_snomed_nothing_is_followed() -> None:
    assert "disease" not in read(c1={"code": concept(SNOMED, "1099890061")}).record


@pytest.mark.parametrize("status", ["active", "recurrence", "relapse"])
def test_an_active_condition_is_read(status: str) -> None:
    assert read(c1={"clinicalStatus": concept("x", status)}).record["disease"] == "LBCL"


@pytest.mark.parametrize("status", ["inactive", "remission", "resolved", None])
def test_another_condition_is_not(status: str | None) -> None:
    change = {"clinicalStatus": status and concept("x", status)}
    reading = read(c1=change)
    assert refused(reading) == [("Bundle", "required")]
    assert any("is not active" in text for text in reading.warned())


@pytest.mark.parametrize("status", ["refuted", "entered-in-error"])
def test_what_was_refuted_is_not_read(status: str) -> None:
    assert "disease" not in read(c1={"verificationStatus": concept("x", status)}).record


@pytest.mark.parametrize(
    ("certainty", "disease"), [("G", "LBCL"), ("V", "LBCL"), ("Z", None), ("A", None)]
)
def test_a_disease_that_was_ruled_out_or_is_over_in_germany_is_none(
    certainty: str, disease: str | None
) -> None:
    reading = read(c1={"code": said_in_germany("C83.3", certainty)})
    assert reading.record.get("disease") == disease
    assert any("not certain" in text for text in reading.warned()) is (certainty == "V")


@pytest.mark.parametrize("status", ["unconfirmed", "provisional", "differential"])
def test_a_disease_that_is_not_certain_is_read_with_a_warning(status: str) -> None:
    reading = read(c1={"verificationStatus": concept("x", status)})
    assert reading.record["disease"] == "LBCL"
    assert "Disease group: read from a Condition that is not certain" in reading.warned()


def test_several_diseases_need_the_orders_reason() -> None:
    myeloma = condition("c2", "C90.00")
    assert refused(read(myeloma)) == [
        ("Bundle.entry[1].resource", "several_diseases"),
        ("Bundle.entry[13].resource", "several_diseases"),
    ]
    reason = {"reasonReference": [{"reference": "Condition/c2"}]}
    reading = read(myeloma, m1=reason)
    assert reading.problems == []
    assert (reading.record["disease"], reading.condition) == ("MM", "Condition/c2")
    assert read(condition("c2", "C83.31")).record["disease"] == "LBCL"
    both = {"coding": [{"system": ICD10, "code": c} for c in ("C83.3", "C90.0")]}
    assert ("Bundle.entry[1].resource.code", "several_diseases") in refused(read(c1={"code": both}))


def test_every_product_can_be_named() -> None:
    for name, product in PRODUCTS.items():
        for spelling in (name, *product.also_called):
            about = {"text": f"CAR-T: {spelling}."}
            assert read(m1={"medicationCodeableConcept": about}).record["product"] == name
