"""Blood counts before lymphodepletion."""

from dataclasses import dataclass
from typing import Annotated

from data_schemas.predictors.contract import Direction, Quantity


@dataclass(frozen=True, kw_only=True)
class BloodCounts:
    """Marrow reserve and circulating disease."""

    platelets: Annotated[
        float | None,
        Quantity(
            label="Platelets",
            unit="10*9/L",
            accepts={
                "10*3/uL": "1",
                "/uL": "0.001",
                "10*6/L": "0.001",
                "{#}/uL": "0.001",
                "10*3/mm3": "1",
            },
            hard=(0, 3000),
            soft=(5, 900),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log1p",
            group="blood counts",
            tier="core",
            direction=Direction(-1, -1),
            reason="low marrow reserve and endothelial consumption go with severe toxicity",
            reference="Hay KA, Blood 2017;130:2295-2306; Korell F, Front Immunol 2022;13:877477",
            loinc=("777-3", "26515-7", "778-1", "49497-1"),
            look_back_days=7,
            note="above 3000 it is probably per uL; say so if transfused within 3 days",
        ),
    ] = None
    platelets_d0: Annotated[
        float | None,
        Quantity(
            label="Platelets at infusion",
            unit="10*9/L",
            accepts={"10*3/uL": "1", "/uL": "0.001"},
            hard=(0, 3000),
            soft=(2, 600),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log1p",
            group="blood counts",
            tier="optional",
            direction=Direction(-1, -1),
            reason="as platelets before lymphodepletion, but driven by it",
            reference="Holtzman NG, Neuro Oncol 2021;23:112-121 (unread)",
            loinc=("777-3", "26515-7"),
            look_back_days=2,
            column_name="platelets_10e9_l_d0",
        ),
    ] = None
    anc: Annotated[
        float | None,
        Quantity(
            label="Neutrophils, absolute",
            unit="10*9/L",
            accepts={"10*3/uL": "1", "/uL": "0.001", "{cells}/uL": "0.001"},
            hard=(0, 200),
            soft=(0, 30),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log1p",
            group="blood counts",
            tier="core",
            reason="measures marrow reserve; its link to toxicity is indirect, growth factor and transfusion confound it",
            reference="Rejeski K, Blood 2021;138:2499",
            loinc=("751-8", "26499-4", "753-4"),
            look_back_days=7,
            note="a percentage is not an absolute count: multiply it by the white cells first",
        ),
    ] = None
    alc: Annotated[
        float | None,
        Quantity(
            label="Lymphocytes, absolute",
            unit="10*9/L",
            accepts={"10*3/uL": "1", "/uL": "0.001"},
            hard=(0, 600),
            soft=(0, 50),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log1p",
            group="blood counts",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("731-0", "26474-7", "30364-4"),
            look_back_days=7,
        ),
    ] = None
    wbc: Annotated[
        float | None,
        Quantity(
            label="White cells",
            unit="10*9/L",
            accepts={"10*3/uL": "1", "/uL": "0.001"},
            hard=(0, 1000),
            soft=(0.1, 100),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log1p",
            group="blood counts",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("6690-2", "26464-8", "804-5"),
            look_back_days=7,
            note="above 1000 it is probably per uL",
        ),
    ] = None
    hemoglobin: Annotated[
        float | None,
        Quantity(
            label="Haemoglobin",
            unit="g/L",
            accepts={"g/dL": "10", "mmol/L": "16.114"},
            hard=(20, 250),
            soft=(60, 190),
            group="blood counts",
            tier="core",
            reason="measures marrow reserve; its link to toxicity is indirect, growth factor and transfusion confound it",
            reference="Rejeski K, Blood 2021;138:2499",
            loinc=("718-7", "20509-6", "30350-3", "55782-7", "59260-0"),
            look_back_days=7,
            note="below 20 g/L it is probably in g/dL or mmol/L; mmol/L counts iron monomers",
        ),
    ] = None
    blasts_blood: Annotated[
        float | None,
        Quantity(
            label="Peripheral blasts",
            unit="%",
            accepts={"1": "100"},
            hard=(0, 100),
            soft=(0, 95),
            transform="sqrt",
            group="blood counts",
            tier="optional",
            direction=Direction(+1, +1),
            reason="circulating leukaemia is tumour burden",
            reference="Hay KA, Blood 2017;130:2295-2306",
            loinc=("709-6", "26446-5"),
            look_back_days=7,
            diseases=("B_ALL",),
        ),
    ] = None
    igg: Annotated[
        float | None,
        Quantity(
            label="IgG",
            unit="g/L",
            accepts={"mg/dL": "0.01"},
            hard=(0, 150),
            soft=(0.5, 30),
            has_detection_limit=True,
            has_largest_result=True,
            group="blood counts",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("2465-3",),
            look_back_days=60,
        ),
    ] = None
