"""Inflammation and coagulation before lymphodepletion."""

from dataclasses import dataclass
from typing import Annotated

from data_schemas.predictors.contract import Direction, Quantity


@dataclass(frozen=True, kw_only=True)
class Inflammation:
    """How inflamed the patient is."""

    crp: Annotated[
        float | None,
        Quantity(
            label="C-reactive protein",
            unit="mg/L",
            accepts={"mg/dL": "10", "ug/mL": "1", "ug/L": "0.001", "g/L": "1000"},
            hard=(0, 1000),
            soft=(0, 350),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log1p",
            group="inflammation",
            tier="core",
            direction=Direction(+1, +1),
            reason="systemic inflammation before lymphodepletion goes with severe toxicity",
            reference="Faramand RG, Blood Cancer Discov 2024;5:106-113; Pennisi M, Blood Adv 2021;5:3397-3406",
            loinc=("1988-5", "30522-7", "71426-1", "48421-2"),
            look_back_days=14,
        ),
    ] = None
    ferritin: Annotated[
        float | None,
        Quantity(
            label="Ferritin",
            unit="ng/mL",
            accepts={"ug/L": "1", "ug/dL": "10", "mg/L": "1000", "pmol/L": "0.445"},
            hard=(0.1, 200000),
            soft=(5, 20000),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log",
            group="inflammation",
            tier="core",
            direction=Direction(+1, +1),
            reason="macrophage activation and acute phase go with severe toxicity",
            reference="Greenbaum U, Blood Adv 2021;5:2799-2806; Faramand RG, Blood Cancer Discov 2024;5:106-113",
            loinc=("2276-4", "20567-4", "24373-3", "14723-1"),
            look_back_days=14,
            note="pmol/L assumes 445 kDa (LOINC 14723-1); transfusion raises ferritin",
        ),
    ] = None
    il6: Annotated[
        float | None,
        Quantity(
            label="Interleukin-6",
            unit="pg/mL",
            accepts={"ng/L": "1", "ng/mL": "1000", "ng/dL": "10"},
            hard=(0, 500000),
            soft=(0, 1000),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log1p",
            group="inflammation",
            tier="optional",
            direction=Direction(+1, +1),
            reason="a high cytokine tone before infusion goes with severe CRS",
            reference="Locke FL, Blood Adv 2020;4:4898-4911 (unread)",
            loinc=("26881-3",),
            look_back_days=7,
            note="IU/mL is not convertible; tocilizumab or siltuximab within 21 days raises IL-6",
        ),
    ] = None
    procalcitonin: Annotated[
        float | None,
        Quantity(
            label="Procalcitonin",
            unit="ng/mL",
            accepts={"ug/L": "1", "pg/mL": "0.001"},
            hard=(0, 1000),
            soft=(0, 20),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log1p",
            group="inflammation",
            tier="optional",
            reason="no association is published, so either way is allowed",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("33959-8", "75241-0"),
            look_back_days=7,
        ),
    ] = None
    triglycerides: Annotated[
        float | None,
        Quantity(
            label="Triglycerides",
            unit="mg/dL",
            accepts={"mmol/L": "88.57"},
            hard=(10, 10000),
            soft=(20, 1500),
            has_largest_result=True,
            transform="log",
            group="inflammation",
            tier="research",
            reason="no association is published, so either way is allowed",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("2571-8", "14927-8"),
            look_back_days=14,
        ),
    ] = None
    fibrinogen: Annotated[
        float | None,
        Quantity(
            label="Fibrinogen (Clauss)",
            unit="g/L",
            accepts={"mg/dL": "0.01", "mg/mL": "1", "umol/L": "0.34"},
            hard=(0.1, 15),
            soft=(0.8, 9),
            has_detection_limit=True,
            has_largest_result=True,
            group="organ function",
            tier="optional",
            reason="lower on the day of infusion before severe ICANS, but no size was read: either way is allowed",
            reference="Holtzman NG, Neuro Oncol 2021;23:112-121 (unread)",
            loinc=("3255-7", "48664-7", "30902-1"),
            look_back_days=14,
            note="a value above 15 g/L is probably in mg/dL",
        ),
    ] = None
    d_dimer: Annotated[
        float | None,
        Quantity(
            label="D-dimer (FEU)",
            unit="mg/L{FEU}",
            accepts={
                "mg{FEU}/L": "1",
                "ug/mL{FEU}": "1",
                "ug/L{FEU}": "0.001",
                "ng/mL{FEU}": "0.001",
                "mg/L{DDU}": "2",
                "ng/mL{DDU}": "0.002",
                "ug/L{DDU}": "0.002",
            },
            hard=(0, 200),
            soft=(0, 35),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log1p",
            group="organ function",
            tier="optional",
            reason="no association is published, so either way is allowed",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("48065-7", "48067-3", "71427-9", "48066-5", "48058-2", "91556-1"),
            look_back_days=14,
            note="1 FEU is nominally 2 DDU; a unit without its basis is refused",
        ),
    ] = None
    inr: Annotated[
        float | None,
        Quantity(
            label="INR",
            unit="{INR}",
            accepts={"1": "1", "{ratio}": "1"},
            hard=(0.5, 20),
            soft=(0.8, 4),
            has_largest_result=True,
            transform="log",
            group="organ function",
            tier="optional",
            reason="no association is published, so either way is allowed",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("6301-6", "34714-6", "46418-0"),
            look_back_days=14,
            note="ignore while on warfarin",
        ),
    ] = None
    aptt: Annotated[
        float | None,
        Quantity(
            label="aPTT",
            unit="s",
            accepts={"min": "60"},
            hard=(10, 300),
            soft=(18, 90),
            has_largest_result=True,
            group="organ function",
            tier="optional",
            reason="no association is published, so either way is allowed",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("14979-9", "3173-2"),
            look_back_days=14,
            note="heparin confounds it",
        ),
    ] = None
