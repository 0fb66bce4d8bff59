"""Cell turnover and organ function before lymphodepletion."""

from dataclasses import dataclass
from typing import Annotated

from data_schemas.predictors.contract import Direction, Quantity


@dataclass(frozen=True, kw_only=True)
class Chemistry:
    """Blood chemistry."""

    ldh: Annotated[
        float | None,
        Quantity(
            label="Lactate dehydrogenase",
            unit="U/L",
            accepts={"[IU]/L": "1", "ukat/L": "60", "nkat/L": "0.06", "U/mL": "1000"},
            hard=(20, 30000),
            soft=(80, 5000),
            has_largest_result=True,
            transform="log",
            group="tumour",
            tier="core",
            direction=Direction(+1, +1),
            reason="tumour burden, cell turnover and endothelial stress",
            reference="Korell F, Front Immunol 2022;13:877477",
            loinc=("2532-0", "14804-9"),
            look_back_days=14,
            note="never from the pyruvate-to-lactate method (LOINC 14805-6), which reads about twice as high; below 20 U/L it is probably in ukat/L; discard haemolysed samples",
        ),
    ] = None
    ldh_uln: Annotated[
        float | None,
        Quantity(
            label="LDH upper limit of normal",
            unit="U/L",
            accepts={"[IU]/L": "1", "ukat/L": "60", "nkat/L": "0.06", "U/mL": "1000"},
            hard=(100, 800),
            soft=(180, 500),
            group="tumour",
            tier="core",
            reason="a property of the laboratory, not of the patient",
            reference="same observation as the LDH",
            note="the laboratory's own limit for the same method; models read LDH as a multiple of it",
        ),
    ] = None
    urate: Annotated[
        float | None,
        Quantity(
            label="Urate",
            unit="mg/dL",
            accepts={"umol/L": "1/59.48", "mmol/L": "16.81"},
            hard=(0.1, 40),
            soft=(0.5, 15),
            has_detection_limit=True,
            has_largest_result=True,
            group="tumour",
            tier="research",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("3084-1", "14933-6"),
            look_back_days=14,
        ),
    ] = None
    beta2_microglobulin: Annotated[
        float | None,
        Quantity(
            label="Beta-2 microglobulin",
            unit="mg/L",
            accepts={"ug/mL": "1", "nmol/L": "0.0118"},
            hard=(0.3, 100),
            soft=(0.5, 30),
            has_largest_result=True,
            transform="log",
            group="tumour",
            tier="optional",
            direction=Direction(+1, +1),
            reason="burden in myeloma and CLL; kidney function confounds it",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("1952-1",),
            look_back_days=60,
        ),
    ] = None
    creatinine: Annotated[
        float | None,
        Quantity(
            label="Creatinine",
            unit="mg/dL",
            accepts={"umol/L": "1/88.4", "mmol/L": "11.312", "mg/L": "0.1"},
            hard=(0.1, 25),
            soft=(0.3, 6),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log",
            group="organ function",
            tier="core",
            reason="part of EASIX, yet the variant without it did better; alone inconsistent",
            reference="Pennisi M, Blood Adv 2021;5:3397-3406",
            loinc=("2160-0", "38483-4", "14682-9", "59826-8"),
            look_back_days=14,
            note="above 25 mg/dL it is probably in umol/L; molar mass 113.12 g/mol",
        ),
    ] = None
    albumin: Annotated[
        float | None,
        Quantity(
            label="Albumin",
            unit="g/L",
            accepts={"g/dL": "10", "mg/dL": "0.01", "umol/L": "0.0665", "mmol/L": "66.5"},
            hard=(8, 70),
            soft=(15, 55),
            group="organ function",
            tier="core",
            direction=Direction(-1, -1),
            reason="falls with inflammation and frailty; high values go with less toxicity",
            reference="Raj SS, Nat Med 2025;31:1183-1194",
            loinc=("1751-7", "61151-7", "61152-5", "54347-0", "62235-7", "62234-0"),
            look_back_days=14,
            note="below 8 g/L it is probably in g/dL; bromocresol green reads 3 to 5 g/L above purple",
        ),
    ] = None
    bilirubin: Annotated[
        float | None,
        Quantity(
            label="Bilirubin, total",
            unit="mg/dL",
            accepts={"umol/L": "1/17.1", "mg/L": "0.1", "mmol/L": "58.47"},
            hard=(0.05, 60),
            soft=(0.1, 5),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log",
            group="organ function",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("1975-2", "42719-5", "14631-6"),
            look_back_days=14,
            note="umol/L sent as mg/dL passes the hard limit: above 5 a caution is raised",
        ),
    ] = None
    alt: Annotated[
        float | None,
        Quantity(
            label="ALT",
            unit="U/L",
            accepts={"ukat/L": "60", "[IU]/L": "1"},
            hard=(1, 20000),
            soft=(3, 500),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log",
            group="organ function",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("1742-6", "1743-4"),
            look_back_days=14,
        ),
    ] = None
    ast: Annotated[
        float | None,
        Quantity(
            label="AST",
            unit="U/L",
            accepts={"ukat/L": "60", "[IU]/L": "1"},
            hard=(1, 20000),
            soft=(3, 500),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log",
            group="organ function",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("1920-8", "30239-8", "88112-8"),
            look_back_days=14,
        ),
    ] = None
    ntprobnp: Annotated[
        float | None,
        Quantity(
            label="NT-proBNP",
            unit="pg/mL",
            accepts={"ng/L": "1", "pmol/L": "8.457"},
            hard=(1, 200000),
            soft=(5, 20000),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log",
            group="organ function",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("33762-6", "83107-3"),
            look_back_days=30,
        ),
    ] = None
