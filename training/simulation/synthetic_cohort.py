"""Simulated cohorts: tables of patients who do not exist, with the true risk of each.

They test what no real cohort can: whether a predicted risk is near the *true* one, and whether an
interval covers it.
They are no evidence about any drug, and every table says of itself that it is synthetic.

A cohort is made in five steps, each from a random stream of its own, so that one seed gives the
same patients under every truth:

1. Patients (`synthetic_patients`): each site draws its size, product mix and policy; laboratory
   values have the typical centres and spreads, share one latent factor, and shift from site to
   site.
2. True risks (`synthetic_truth`) from the complete data. The truth departs from the
   published evidence on purpose; that module states exactly how.
3. Outcomes: severe or not is drawn from the true risk. Severe ICANS mostly follows CRS, so the two
   draws are joined by a Gaussian copula of correlation 0.4 (assumed); each risk stays as it is.
   The grade within severe, and within not severe, is drawn with fixed assumed shares.
4. Dates: infusion after the product was first licensed; blood taken 1 to 7 days before.
5. Missing values, last: the truth knows what the table does not show.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import ndtr

from data_schemas.cohort_table import MEASURED_AT, SYNTHETIC
from data_schemas.outcomes import OUTCOMES
from data_schemas.predictors import PREDICTORS, Flag, Quantity
from data_schemas.products import PRODUCTS
from data_schemas.refusal import Refused
from data_schemas.toxicity_grading import GradingScale
from serving.whole_file import whole_file
from training.simulation.synthetic_patients import (
    AVAILABLE_FROM,
    FIRST_DAY,
    LAST_DAY,
    PRODUCT_NAMES,
    PRODUCT_OF_CELL,
    Patients,
    draw_patients,
)
from training.simulation.synthetic_truth import TruthName, true_risk

Array = np.ndarray

METADATA_KEY = b"cart_risk"
STATEMENT = "simulated, not patients"

COPULA_CORRELATION = 0.4
SEVERE_GRADES = {"severe_crs": (0.78, 0.19, 0.03), "severe_icans": (0.72, 0.26, 0.02)}
"""Assumed shares of grades 3, 4 and 5 among the severe."""
MILD_GRADES = {"severe_crs": (0.25, 0.45, 0.30), "severe_icans": (0.70, 0.15, 0.15)}
"""Assumed shares of grades 0, 1 and 2 among the others."""
GRADE_MISSING = {"severe_crs": 0.02, "severe_icans": 0.05}

MISSING: dict[str, float] = {
    **{"crp": 0.08, "ferritin": 0.12, "il6": 0.75, "ldh": 0.08, "ldh_uln": 0.15},
    **{"creatinine": 0.03, "albumin": 0.06, "platelets": 0.03, "anc": 0.05, "hemoglobin": 0.03},
    **{"weight": 0.05, "height": 0.08, "ecog": 0.15, "prior_lines": 0.08},
    **{"mtv": 0.65, "spd": 0.50, "largest_lesion": 0.35, "bulky_disease": 0.30},
    **{"marrow_blast": 0.10, "blasts_blood": 0.20, "marrow_plasma_cell": 0.25},
    **{"m_protein": 0.30, "involved_flc": 0.30, "extramedullary_disease": 0.25},
    **{"cns_involvement": 0.10, "neuro_comorbidity": 0.12, "active_infection": 0.15},
    **{"ld_regimen": 0.05, "bridging": 0.10, "crs_prophylaxis": 0.15},
}
"""Expected share missing in routine care, a planning figure; what is not named is always known."""

MISSING_SITE_SPREAD = 0.4
"""Sd between sites of the log-odds that a predictor is missing."""
NEVER_MTV = 0.25
"""Share of sites that never measure metabolic tumour volume."""
LESS_ILL = 0.2
"""Log-odds of missing, per 20 years of younger age and again for 4-1BB products."""

TIMED = ("crp", "ferritin", "ldh", "platelets")


@dataclass(frozen=True)
class SimulatedCohort:
    """A cohort table of the contract, and apart from it the true risk of each patient.

    ``truth`` has the columns patient_id, severe_crs and severe_icans, risks between 0 and 1.
    """

    table: pd.DataFrame
    truth: pd.DataFrame
    seed: int
    sites: int
    scenario: TruthName

    def statement(self) -> dict[str, object]:
        """Return what a file of this cohort says of itself."""
        said = {SYNTHETIC: True, "seed": self.seed, "sites": self.sites, "n": len(self.table)}
        return said | {"truth": self.scenario, "statement": STATEMENT}


def simulate(n: int, sites: int, seed: int, *, truth: TruthName = "perturbed") -> SimulatedCohort:
    """Simulate a cohort; the same arguments give the same cohort.

    Parameters
    ----------
    n
        Number of patients.
    sites
        Number of centres, each with effects, rates and missing values of its own.
    seed
        One seed gives the same patients, dates and missing values under every truth.
    truth
        ``perturbed`` departs from the evidence; ``as_published`` follows it to the letter (a model
        started from the evidence is then right by construction); ``null`` has no effects;
        ``reversed`` has every effect's sign flipped; ``shifted`` adds 1.2 to every log-odds;
        ``stronger`` takes published effects whole, before they are shrunk for transport.
    """
    if n < 1 or sites < 1:
        raise Refused("a cohort needs at least one patient and one site")
    streams = np.random.SeedSequence(seed).spawn(5 + len(OUTCOMES))
    rng = [np.random.default_rng(stream) for stream in streams]
    patients = draw_patients(n, sites, rng[0])
    risks = {
        name: true_risk(patients, sites, name, truth, stream)
        for name, stream in zip(OUTCOMES, rng[5:], strict=True)
    }
    patient_id = pd.Series([f"sim-{i:06d}" for i in range(1, n + 1)], dtype="str")
    columns = {"patient_id": patient_id} | _administrative(patients, rng[1])
    columns |= _grades(risks, rng[2])
    columns |= _predictors(patients, _missing(patients, sites, rng[3]))
    columns |= _measured_at(columns, rng[4])
    table = pd.DataFrame(columns)
    # A column that was never measured is left out, as the contract asks.
    table = table.drop(columns=[name for name in table if table[name].isna().all()])
    return SimulatedCohort(
        table, pd.DataFrame({"patient_id": patient_id, **risks}), seed, sites, truth
    )


def _administrative(patients: Patients, rng: np.random.Generator) -> dict[str, pd.Series]:
    n = len(patients.site)
    last = np.datetime64(LAST_DAY)
    first = np.array([AVAILABLE_FROM.get(p, FIRST_DAY) for p in PRODUCT_NAMES], "datetime64[D]")
    start = first[PRODUCT_OF_CELL[patients.cell]]
    day = start + (rng.random(n) * ((last - start).astype(int) + 1)).astype("timedelta64[D]")
    names = np.array([f"simulated-{i + 1:02d}" for i in range(patients.site.max() + 1)], object)
    return {
        "site": pd.Series(names[patients.site], dtype="str"),
        "infusion_date": pd.Series(day.astype("datetime64[us]")),
        "grading_scale": pd.Series(np.full(n, GradingScale.ASTCT2019.value, object), dtype="str"),
        SYNTHETIC: pd.Series(np.full(n, True)),
    }


def _grades(risks: dict[str, Array], rng: np.random.Generator) -> dict[str, pd.Series]:
    """Draw severe or not from the joined uniform draws, then the grade."""
    n = len(next(iter(risks.values())))
    first = rng.standard_normal(n)
    own = np.sqrt(1 - COPULA_CORRELATION**2) * rng.standard_normal(n)
    uniform = {"severe_crs": ndtr(first), "severe_icans": ndtr(COPULA_CORRELATION * first + own)}
    columns = {}
    for name, risk in risks.items():
        severe = 3 + np.searchsorted(np.cumsum(SEVERE_GRADES[name])[:-1], rng.random(n))
        mild = np.searchsorted(np.cumsum(MILD_GRADES[name])[:-1], rng.random(n))
        grade = np.where(uniform[name] < risk, severe, mild).astype(float)
        grade[rng.random(n) < GRADE_MISSING[name]] = np.nan
        columns[str(OUTCOMES[name].grade_column)] = pd.Series(grade)
    return columns


def _missing(patients: Patients, sites: int, rng: np.random.Generator) -> dict[str, Array]:
    """Draw which values are missing: by predictor, by site, and more in the less ill."""
    site, n = patients.site, len(patients.site)
    costimulation = np.array([PRODUCTS[name].costimulation == "4-1BB" for name in PRODUCT_NAMES])
    # Younger patients, and those on the milder products, are watched less closely; both are
    # always in the table, so this is missing at random given what is seen.
    less_ill = (60.0 - patients.columns["age"]) / 20 + costimulation[PRODUCT_OF_CELL[patients.cell]]
    tilt = LESS_ILL * (less_ill - less_ill.mean())
    missing = {}
    for name, share in MISSING.items():
        never = rng.random(sites) < NEVER_MTV if name == "mtv" else np.zeros(sites, bool)
        elsewhere = 1 - (1 - share) / (1 - NEVER_MTV) if name == "mtv" else share
        centre = np.log(elsewhere / (1 - elsewhere)) + MISSING_SITE_SPREAD * rng.standard_normal(
            sites
        )
        odds = np.exp(centre[site] + tilt)
        missing[name] = (rng.random(n) < odds / (1 + odds)) | never[site]
    return missing


def _predictors(patients: Patients, missing: dict[str, Array]) -> dict[str, pd.Series]:
    """Return the predictors as columns of the contract, with what is missing taken out."""
    columns: dict[str, pd.Series] = {}
    for name, values in patients.columns.items():
        declared = PREDICTORS[name]
        hidden = missing.get(name, np.zeros(len(values), bool))
        if isinstance(declared, Quantity):
            column = next(iter(declared.columns(name)))
            columns[column] = pd.Series(np.where(hidden, np.nan, values))
            continue
        if isinstance(declared, Flag):
            hidden = hidden | np.isnan(values)
            values = np.where(values == 1.0, "yes", "no")
        columns[name] = pd.Series(values, dtype="str").mask(hidden)
    return columns


def _measured_at(columns: dict[str, pd.Series], rng: np.random.Generator) -> dict[str, pd.Series]:
    """Return when the blood was taken, 1 to 7 days before infusion, where there is a value."""
    infusion = columns["infusion_date"]
    taken = infusion - pd.to_timedelta(rng.integers(1, 8, len(infusion)), unit="D")
    timed = {}
    for name in TIMED:
        declared = PREDICTORS[name]
        assert isinstance(declared, Quantity)
        known = columns[next(iter(declared.columns(name)))].notna()
        timed[f"{name}{MEASURED_AT}"] = taken.where(known).astype("datetime64[us]")
    return timed


def write(cohort: SimulatedCohort, path: Path) -> tuple[Path, Path]:
    """Write the table to ``path`` (.parquet or .csv) and the true risks beside it.

    The true risks go to ``<stem>.truth.parquet``, never into the cohort's own file.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise Refused("a cohort is written to a .parquet or a .csv file")
    truth_path = path.with_name(f"{path.stem}.truth.parquet")
    if path.suffix == ".csv":
        _write(path, cohort.table.to_csv(index=False).encode())
    else:
        _write(path, _parquet(cohort.table, cohort))
    _write(truth_path, _parquet(cohort.truth, cohort))
    return path, truth_path


def _parquet(frame: pd.DataFrame, cohort: SimulatedCohort) -> bytes:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    said = {METADATA_KEY: json.dumps(cohort.statement(), sort_keys=True).encode()}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **said}), sink)
    return bytes(sink.getvalue().to_pybytes())


def _write(path: Path, content: bytes) -> None:
    with whole_file(path) as sink:
        sink.write(content)
