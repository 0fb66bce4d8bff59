"""The closed words and plain types that rows of evidence are written in."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

Verified: TypeAlias = Literal["read", "partly_read", "unread"]
Mark: TypeAlias = Literal["read", "unread"]
# Every product that the service knows (a test says so), and what only papers know.
Product: TypeAlias = Literal[
    "tisagenlecleucel",
    "axicabtagene_ciloleucel",
    "brexucabtagene_autoleucel",
    "lisocabtagene_maraleucel",
    "idecabtagene_vicleucel",
    "ciltacabtagene_autoleucel",
    "obecabtagene_autoleucel",
    "relmacabtagene_autoleucel",
    "equecabtagene_autoleucel",
    "zevorcabtagene_autoleucel",
    "inaticabtagene_autoleucel",
    "talicabtagene_autoleucel",
    "varnimcabtagene_autoleucel",
    "anitocabtagene_autoleucel",
    "mixed",
    "investigational",
    "all",
]
Disease: TypeAlias = Literal[
    "LBCL", "PMBCL", "FL", "MCL", "MZL", "CLL_SLL", "B_ALL", "MM", "mixed", "other"
]
# CTCAE_all_events: every neurologic event counts, also headache and tremor, as in the US labels.
Scale: TypeAlias = Literal[
    "ASTCT2019", "Lee2014", "Penn2014", "MSKCC", "CARTOX", "CTCAE", "CTCAE_all_events", "mixed"
]
Setting: TypeAlias = Literal["trial", "label", "real_world", "meta_analysis"]
Role: TypeAlias = Literal[
    "base_rate",
    "prophylaxis",
    "subgroup",
    "mixed_products",
    "investigational",
    "meta_analysis",
    "overlapping",
    "incomplete",
]
Timing: TypeAlias = Literal[
    "baseline",
    "leukapheresis",
    "pre_lymphodepletion",
    "pre_infusion",
    "infusion_day",
    "peri_infusion",
    "post_infusion",
    "mixed",
]
ContrastKind: TypeAlias = Literal[
    "per_unit", "per_doubling", "threshold", "groups", "continuous_unspecified", "none"
]
Comparison: TypeAlias = Literal[">", ">=", "<", "<="]
Measure: TypeAlias = Literal[
    "OR", "HR", "AUC", "fold", "percent_pair", "percent_single_arm", "none"
]
Direction: TypeAlias = Literal["increases", "decreases", "none", "not_stated"]
RangeType: TypeAlias = Literal["range", "iqr", "p5_p95", "ci95_of_median", "none"]
Statistic: TypeAlias = Literal["median", "percent", "percentiles", "roc_cut_off"]

Slug: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9]+([-_][a-z0-9]+)*$")]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Percent: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]
Probability: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
# No cohort of CAR-T patients is larger than all who were ever treated: some tens of thousands.
Patients: TypeAlias = Annotated[int, Field(strict=True, gt=0, le=100_000)]
Events: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=100_000)]
Year: TypeAlias = Annotated[int, Field(strict=True, ge=1990, le=2100)]
