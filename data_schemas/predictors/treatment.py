"""The planned treatment and those before it."""

from dataclasses import dataclass
from typing import Annotated

from data_schemas.predictors.contract import Category, Direction, Flag, Quantity
from data_schemas.products import DISEASES, PRODUCTS


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """What the patient will receive and has received."""

    product: Annotated[
        str | None,
        Category(
            label="CAR-T product",
            choices=(*PRODUCTS, "other"),
            group="product",
            tier="core",
            reason="sets the base rate together with the disease",
            reference="data_schemas/evidence/incidence.toml",
            note='"other" is accepted and answered as out of scope',
        ),
    ] = None
    disease: Annotated[
        str | None,
        Category(
            label="Disease group",
            choices=tuple(DISEASES),
            group="tumour",
            tier="core",
            reason="sets the base rate together with the product",
            reference="data_schemas/evidence/incidence.toml",
        ),
    ] = None
    ld_regimen: Annotated[
        str | None,
        Category(
            label="Lymphodepletion",
            choices=("flu_cy", "bendamustine", "cy_alone", "flu_cy_other", "none"),
            group="treatment",
            tier="core",
            reason="cyclophosphamide with fludarabine raised toxicity, confounded with era and disease: left free",
            reference="Hay KA, Blood 2017;130:2295-2306; Gust J, Cancer Discov 2017;7:1404-1419",
        ),
    ] = None
    cy_total: Annotated[
        float | None,
        Quantity(
            label="Cyclophosphamide, total",
            unit="mg/m2",
            accepts={"g/m2": "1000"},
            hard=(0, 10000),
            soft=(0, 3000),
            group="treatment",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
        ),
    ] = None
    flu_total: Annotated[
        float | None,
        Quantity(
            label="Fludarabine, total",
            unit="mg/m2",
            hard=(0, 300),
            soft=(0, 160),
            group="treatment",
            tier="optional",
            direction=Direction(0, +1),
            reason="exposure to fludarabine is itself neurotoxic",
            reference="no published association with severe CRS or ICANS in the evidence tables",
        ),
    ] = None
    bridging: Annotated[
        str | None,
        Category(
            label="Bridging therapy",
            choices=("none", "steroid", "radiotherapy", "chemo", "targeted", "combined", "unknown"),
            group="treatment",
            tier="core",
            reason="given for high burden, so its sign is confounded: never constrained",
            reference="Wudhikarn K, Blood Adv 2020",
        ),
    ] = None
    bridging_response: Annotated[
        str | None,
        Category(
            label="Response to bridging",
            choices=("CR", "PR", "SD", "PD", "none"),
            group="treatment",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            look_back_days=45,
        ),
    ] = None
    prior_lines: Annotated[
        float | None,
        Quantity(
            label="Prior lines of therapy",
            unit="{count}",
            accepts={"1": "1"},
            hard=(0, 20),
            soft=(1, 10),
            whole=True,
            group="treatment",
            tier="core",
            reason="no consistent association",
            reference="CIBMTR brexu-cel MCL, 469 patients; Wudhikarn K, Blood Adv 2020",
            note="transplant consolidation is not a line",
        ),
    ] = None
    prior_auto_hct: Annotated[
        bool | None,
        Flag(
            label="Prior autologous HCT",
            group="treatment",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
        ),
    ] = None
    prior_allo_hct: Annotated[
        bool | None,
        Flag(
            label="Prior allogeneic HCT",
            group="treatment",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
        ),
    ] = None
    prior_cart_or_bispecific: Annotated[
        bool | None,
        Flag(
            label="Prior CAR-T / bispecific",
            group="treatment",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
        ),
    ] = None
    cell_dose: Annotated[
        float | None,
        Quantity(
            label="CAR+ viable cells infused (planned)",
            unit="10*6",
            accepts={"10*8": "100", "10*9": "1000"},
            hard=(0.1, 5000),
            soft=(10, 600),
            transform="log",
            group="treatment",
            tier="optional",
            direction=Direction(+1, +1),
            reason="more cells, more toxicity in early trials; narrow in commercial use",
            reference="Hay KA, Blood 2017;130:2295-2306",
        ),
    ] = None
    cell_dose_per_kg: Annotated[
        float | None,
        Quantity(
            label="CAR+ cells per kg",
            unit="10*6/kg",
            hard=(0.01, 50),
            soft=(0.2, 10),
            transform="log",
            group="treatment",
            tier="optional",
            direction=Direction(+1, +1),
            reason="more cells, more toxicity in early trials; narrow in commercial use",
            reference="Hay KA, Blood 2017;130:2295-2306",
            column_name="cell_dose_10e6_per_kg",
        ),
    ] = None
    crs_prophylaxis: Annotated[
        str | None,
        Category(
            label="Planned prophylaxis (tocilizumab, steroid, anakinra)",
            choices=("none", "tocilizumab", "steroid", "anakinra", "other"),
            group="treatment",
            tier="core",
            direction=Direction(-1, 0),
            reason="lowers severe CRS; tocilizumab may raise severe ICANS, so ICANS is left free",
            reference="Blood 2023;141:2430-2442, Table 1",
            note="the risk is under usual care including the prophylaxis named here",
        ),
    ] = None
    steroid_within_7d: Annotated[
        bool | None,
        Flag(
            label="Systemic steroid within 7 d",
            group="treatment",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
            look_back_days=7,
        ),
    ] = None
    seizure_prophylaxis: Annotated[
        bool | None,
        Flag(
            label="Levetiracetam planned",
            group="treatment",
            tier="optional",
            reason="no consistent direction is published",
            reference="no published association with severe CRS or ICANS in the evidence tables",
        ),
    ] = None
