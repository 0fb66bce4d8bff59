"""Tumour burden and spread, in every disease."""

from dataclasses import dataclass
from typing import Annotated

from data_schemas.predictors.contract import Category, Direction, Flag, Quantity


@dataclass(frozen=True, kw_only=True)
class Tumour:
    """How much disease there is, and where."""

    mtv: Annotated[
        float | None,
        Quantity(
            label="Total metabolic tumour volume",
            unit="mL",
            accepts={"cm3": "1", "L": "1000", "dm3": "1000"},
            hard=(0, 10000),
            soft=(0, 4000),
            transform="log1p",
            group="tumour",
            tier="optional",
            direction=Direction(+1, +1),
            reason="tumour burden drives expansion and toxicity",
            reference="SNMMI 2025 abstract, 367 patients with LBCL",
            look_back_days=45,
            note="41 % of SUVmax and SUV > 4 differ by up to two-fold: keep one segmentation method per site",
        ),
    ] = None
    spd: Annotated[
        float | None,
        Quantity(
            label="Sum of products of diameters",
            unit="cm2",
            accepts={"mm2": "0.01"},
            hard=(0, 2000),
            soft=(0, 300),
            transform="log1p",
            group="tumour",
            tier="optional",
            direction=Direction(+1, +1),
            reason="tumour burden drives expansion and toxicity",
            reference="Locke FL, Blood Adv 2020;4:4898-4911 (unread)",
            look_back_days=45,
            note="up to 6 index lesions; trials often print mm2",
        ),
    ] = None
    largest_lesion: Annotated[
        float | None,
        Quantity(
            label="Largest lesion",
            unit="cm",
            accepts={"mm": "0.1"},
            hard=(0, 60),
            soft=(0, 25),
            group="tumour",
            tier="optional",
            direction=Direction(+1, +1),
            reason="tumour burden drives expansion and toxicity",
            reference="Locke FL, Blood Adv 2020;4:4898-4911 (unread)",
            loinc=("33728-7",),
            look_back_days=45,
        ),
    ] = None
    bulky_disease: Annotated[
        bool | None,
        Flag(
            label="Bulky disease",
            group="tumour",
            tier="optional",
            direction=Direction(+1, +1),
            reason="tumour burden drives expansion and toxicity",
            reference="Locke FL, Blood Adv 2020;4:4898-4911 (unread)",
            look_back_days=45,
            note="any lesion of 10 cm or more; record another threshold in the cohort notes",
        ),
    ] = None
    extramedullary_disease: Annotated[
        bool | None,
        Flag(
            label="Extramedullary / extranodal bulky disease",
            group="tumour",
            tier="optional",
            direction=Direction(+1, +1),
            reason="extramedullary or bulky extranodal disease is tumour burden",
            reference="Transplant Cell Ther 2024;30:17-37, Table 2",
            look_back_days=60,
        ),
    ] = None
    marrow_blast: Annotated[
        float | None,
        Quantity(
            label="Marrow blasts (B-ALL)",
            unit="%",
            accepts={"1": "100"},
            hard=(0, 100),
            soft=(0, 99),
            transform="sqrt",
            group="tumour",
            tier="disease_core",
            direction=Direction(+1, +1),
            reason="leukaemia burden drives expansion and toxicity",
            reference="Hay KA, Blood 2017;130:2295-2306; Haematologica 2025 (FELIX, burden-guided dosing)",
            loinc=("11150-0",),
            look_back_days=30,
            diseases=("B_ALL",),
            note="after bridging; 5 % and 50 % are the published cuts",
        ),
    ] = None
    mrd_status: Annotated[
        str | None,
        Category(
            label="MRD before LD",
            choices=("neg", "pos", "unknown"),
            group="tumour",
            tier="optional",
            direction=Direction(+1, +1),
            reason="detectable disease before lymphodepletion goes with severe CRS in leukaemia",
            reference="B-ALL CRS score cohort 2025 (125 patients)",
            look_back_days=30,
            diseases=("B_ALL",),
        ),
    ] = None
    marrow_plasma_cell: Annotated[
        float | None,
        Quantity(
            label="Marrow plasma cells (MM)",
            unit="%",
            accepts={"1": "100"},
            hard=(0, 100),
            soft=(0, 95),
            transform="sqrt",
            group="tumour",
            tier="disease_core",
            direction=Direction(+1, +1),
            reason="myeloma burden goes with severe and with late toxicity",
            reference="Transplant Cell Ther 2024;30:17-37, Table 2",
            loinc=("11118-7",),
            look_back_days=60,
            diseases=("MM",),
            note="aspirate and core differ: take the higher",
        ),
    ] = None
    m_protein: Annotated[
        float | None,
        Quantity(
            label="Serum M-protein",
            unit="g/L",
            accepts={"g/dL": "10"},
            hard=(0, 150),
            soft=(0, 80),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log1p",
            group="tumour",
            tier="optional",
            direction=Direction(+1, +1),
            reason="myeloma burden goes with severe and with late toxicity",
            reference="Transplant Cell Ther 2024;30:17-37, Table 2",
            loinc=("33358-3",),
            look_back_days=30,
            diseases=("MM",),
        ),
    ] = None
    involved_flc: Annotated[
        float | None,
        Quantity(
            label="Involved free light chain",
            unit="mg/L",
            accepts={"mg/dL": "10"},
            hard=(0, 100000),
            soft=(0, 20000),
            has_detection_limit=True,
            has_largest_result=True,
            transform="log1p",
            group="tumour",
            tier="optional",
            direction=Direction(+1, +1),
            reason="myeloma burden goes with severe and with late toxicity",
            reference="Transplant Cell Ther 2024;30:17-37, Table 2",
            loinc=("36916-5", "33944-0"),
            look_back_days=30,
            diseases=("MM",),
            note="assay-specific: never pool assays",
        ),
    ] = None
    disease_stage: Annotated[
        float | None,
        Quantity(
            label="Ann Arbor / Lugano stage",
            unit="{score}",
            accepts={"1": "1"},
            hard=(1, 4),
            soft=(1, 4),
            whole=True,
            group="tumour",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            loinc=("21908-9",),
            look_back_days=60,
            diseases=("LBCL", "PMBCL", "FL", "MCL", "MZL"),
        ),
    ] = None
    ipi: Annotated[
        float | None,
        Quantity(
            label="IPI at LD",
            unit="{score}",
            accepts={"1": "1"},
            hard=(0, 5),
            soft=(0, 5),
            whole=True,
            group="tumour",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            look_back_days=30,
            diseases=("LBCL", "PMBCL"),
        ),
    ] = None
    r_iss: Annotated[
        float | None,
        Quantity(
            label="R-ISS (MM)",
            unit="{score}",
            accepts={"1": "1"},
            hard=(1, 3),
            soft=(1, 3),
            whole=True,
            group="tumour",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            look_back_days=90,
            diseases=("MM",),
        ),
    ] = None
    cns_involvement: Annotated[
        str | None,
        Category(
            label="CNS disease",
            choices=("none", "treated", "active", "unknown"),
            group="tumour",
            tier="core",
            reason="plausible for ICANS, but trials excluded it",
            reference="Qi Y, Blood 2022;139:3376-3386",
            note="active disease raises a caution: most cohorts excluded it",
        ),
    ] = None
