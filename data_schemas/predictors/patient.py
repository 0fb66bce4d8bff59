"""The patient: age, performance, comorbidity, vital signs."""

from dataclasses import dataclass
from typing import Annotated

from data_schemas.predictors.contract import Category, Direction, Flag, Quantity


@dataclass(frozen=True, kw_only=True)
class Patient:
    """Who the patient is."""

    age: Annotated[
        float | None,
        Quantity(
            label="Age at infusion",
            unit="a",
            accepts={"mo": "1/12", "d": "1/365.25"},
            hard=(0, 110),
            soft=(3, 88),
            group="patient",
            tier="core",
            reason="older age goes with ICANS in lymphoma, younger age with toxicity in leukaemia: never constrained",
            reference="CIBMTR age study, Blood Neoplasia 2025, doi:10.1016/j.bneo.2025.100187; Santomasso BD, Blood 2023;141:2443-2451",
            loinc=("30525-0",),
            note=(
                "under 18 years a model answers only where its evidence includes children, "
                "and beyond the last year of its evidence where that ends"
            ),
        ),
    ] = None
    sex: Annotated[
        str | None,
        Category(
            label="Sex",
            choices=("female", "male", "other", "unknown"),
            group="patient",
            tier="core",
            reason="no consistent association; first an axis of the fairness audit",
            reference="no published association with severe CRS or ICANS in the evidence tables",
        ),
    ] = None
    ecog: Annotated[
        float | None,
        Quantity(
            label="ECOG performance status",
            unit="{score}",
            accepts={"1": "1"},
            hard=(0, 4),
            soft=(0, 2),
            whole=True,
            group="patient",
            tier="core",
            reason="strong for survival, weak for the incidence of toxicity",
            reference="Wudhikarn K, Blood Adv 2020",
            loinc=("89247-1", "89262-0"),
            look_back_days=30,
            from_years=16,
            note="Karnofsky 100-90 is 0, 80-70 is 1, 60-50 is 2, 40-30 is 3, 20-10 is 4; not asked "
            "of children under 16, who are scored by Lansky (Cancer 1987;60:1651-1656)",
        ),
    ] = None
    weight: Annotated[
        float | None,
        Quantity(
            label="Weight",
            unit="kg",
            accepts={"g": "0.001", "[lb_av]": "0.45359237"},
            hard=(2, 350),
            soft=(35, 180),
            group="patient",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("29463-7", "3141-9"),
            look_back_days=14,
        ),
    ] = None
    height: Annotated[
        float | None,
        Quantity(
            label="Height",
            unit="cm",
            accepts={"m": "100", "[in_i]": "2.54"},
            hard=(40, 250),
            soft=(140, 205),
            group="patient",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("8302-2",),
        ),
    ] = None
    bmi: Annotated[
        float | None,
        Quantity(
            label="Body mass index",
            unit="kg/m2",
            hard=(8, 90),
            soft=(15, 50),
            group="patient",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("39156-5",),
            look_back_days=14,
        ),
    ] = None
    temperature: Annotated[
        float | None,
        Quantity(
            label="Body temperature",
            unit="Cel",
            accepts={"[degF]": "(x-32)/1.8"},
            hard=(30, 44),
            soft=(35, 39.5),
            group="patient",
            tier="optional",
            direction=Direction(+1, 0),
            reason="fever before infusion is often infection; allowed to raise CRS only",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("8310-5",),
            look_back_days=2,
            note="the one affine unit: degrees Fahrenheit",
        ),
    ] = None
    spo2: Annotated[
        float | None,
        Quantity(
            label="Oxygen saturation, room air",
            unit="%",
            accepts={"1": "100"},
            hard=(50, 100),
            soft=(85, 100),
            group="patient",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("59408-5", "2708-6"),
            look_back_days=2,
        ),
    ] = None
    sbp: Annotated[
        float | None,
        Quantity(
            label="Systolic pressure",
            unit="mm[Hg]",
            accepts={"kPa": "7.50062"},
            hard=(40, 280),
            soft=(80, 200),
            group="patient",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("8480-6",),
            look_back_days=2,
        ),
    ] = None
    lvef: Annotated[
        float | None,
        Quantity(
            label="LV ejection fraction",
            unit="%",
            accepts={"1": "100"},
            hard=(5, 90),
            soft=(30, 80),
            group="organ function",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("10230-1",),
            look_back_days=60,
        ),
    ] = None
    hct_ci: Annotated[
        float | None,
        Quantity(
            label="HCT-CI",
            unit="{score}",
            accepts={"1": "1"},
            hard=(0, 29),
            soft=(0, 10),
            whole=True,
            group="patient",
            tier="optional",
            reason="mortality index; its link to the incidence of toxicity is weak",
            reference="Shouse G, Blood Adv 2023;7:3516",
            note="the index cancer does not count as prior malignancy",
        ),
    ] = None
    neuro_comorbidity: Annotated[
        bool | None,
        Flag(
            label="Pre-existing neurological disorder",
            group="patient",
            tier="core",
            direction=Direction(0, +1),
            reason="a diseased brain is more vulnerable",
            reference="Gust J, Cancer Discov 2017;7:1404-1419 (unread)",
        ),
    ] = None
    cognitive_score: Annotated[
        float | None,
        Quantity(
            label="Baseline MoCA/MMSE",
            unit="{score}",
            accepts={"1": "1"},
            hard=(0, 30),
            soft=(10, 30),
            group="patient",
            tier="research",
            direction=Direction(0, -1),
            reason="a low score marks a vulnerable brain",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("72172-0", "72106-8"),
            look_back_days=30,
        ),
    ] = None
    active_infection: Annotated[
        str | None,
        Category(
            label="Active infection at LD",
            choices=("none", "controlled", "uncontrolled"),
            group="patient",
            tier="core",
            reason="raises CRP and ferritin; uncontrolled infection should delay infusion",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            look_back_days=14,
            note="uncontrolled infection raises a caution",
        ),
    ] = None
    cardiac_disease: Annotated[
        bool | None,
        Flag(
            label="Cardiac comorbidity",
            group="patient",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
        ),
    ] = None
    diabetes: Annotated[
        bool | None,
        Flag(
            label="Diabetes",
            group="patient",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
        ),
    ] = None
    autoimmune_disease: Annotated[
        bool | None,
        Flag(
            label="Autoimmune disease",
            group="patient",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
        ),
    ] = None
