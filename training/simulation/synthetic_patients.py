"""Simulated patients before infusion: complete, correlated, and different from site to site.

Centres and spreads of the laboratory values are the typical values of the evidence folder; tumour
burden follows its published quantiles.
Everything in the tables below (case mix, correlations, shares of words) is assumed, to be plausible
and to vary between sites; no figure here is evidence and none enters a model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from scipy.special import ndtr, ndtri

from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.products import ADULT_YEARS
from data_schemas.typical_values import burden_measures
from serving.model.terms import usual_creatinine
from serving.model.tumour_burden import SOURCES
from training.synthesis.figure_reading import transformed_centre, typical

Array = np.ndarray
Shares = dict[str, float]

CASE_MIX: dict[str, tuple[float, Shares]] = {
    "axicabtagene_ciloleucel": (0.34, {"LBCL": 0.80, "PMBCL": 0.04, "FL": 0.13, "MZL": 0.03}),
    "tisagenlecleucel": (0.16, {"B_ALL": 0.44, "LBCL": 0.40, "PMBCL": 0.02, "FL": 0.14}),
    "lisocabtagene_maraleucel": (
        0.16,
        {"LBCL": 0.76, "PMBCL": 0.03, "FL": 0.09, "MCL": 0.06, "MZL": 0.02, "CLL_SLL": 0.04},
    ),
    "brexucabtagene_autoleucel": (0.09, {"MCL": 0.72, "B_ALL": 0.28}),
    "idecabtagene_vicleucel": (0.08, {"MM": 1.0}),
    "ciltacabtagene_autoleucel": (0.14, {"MM": 1.0}),
    "obecabtagene_autoleucel": (0.03, {"B_ALL": 1.0}),
}
"""Assumed national shares of the products licensed in the US and EU, and of diseases in each."""

AVAILABLE_FROM = {
    "brexucabtagene_autoleucel": "2020-08-01",
    "lisocabtagene_maraleucel": "2021-03-01",
    "idecabtagene_vicleucel": "2021-04-01",
    "ciltacabtagene_autoleucel": "2022-03-01",
    "obecabtagene_autoleucel": "2024-12-01",
}
"""First infusion date of a product that was approved after 2019 began."""

FIRST_DAY, LAST_DAY = "2019-01-01", "2025-12-31"

CELLS = tuple((p, disease) for p, (_, diseases) in CASE_MIX.items() for disease in diseases)
PRODUCT_NAMES = tuple(CASE_MIX)
PRODUCT_OF_CELL = np.array([PRODUCT_NAMES.index(product) for product, _ in CELLS])
DISEASE_OF_CELL = np.array([disease for _, disease in CELLS], dtype=object)

SITE_SIZES, SITE_MIX, SITE_POLICY = 5.0, 8.0, 5.0
"""Dirichlet concentrations: of the sizes of sites, their product mix, their treatment policy."""

SITE_SPREAD = 0.15
"""Sd between sites of the centre of each predictor, in its own spreads."""

LOADINGS: dict[str, float] = {
    "crp": 0.65,
    "ferritin": 0.65,
    "ldh": 0.55,
    "burden": 0.55,
    "platelets": -0.45,
    "albumin": -0.55,
    "hemoglobin": -0.45,
    "creatinine": 0.10,
    "il6": 0.60,
    "ecog": 0.35,
    "active_infection": 0.40,
    "bridging": 0.35,
    "extramedullary_disease": 0.35,
}
"""Assumed correlation of each predictor with one latent factor: how ill and inflamed one is."""

BURDEN_CORRELATION: dict[str, float] = {
    "mtv": 1.0,
    "spd": 0.80,
    "largest_lesion": 0.75,
    "marrow_blast": 1.0,
    "blasts_blood": 0.70,
    "marrow_plasma_cell": 1.0,
    "involved_flc": 0.60,
    "m_protein": 0.50,
}
"""Assumed correlation of each measure with the burden; the best measure of a disease is exact."""

LABORATORY = ("crp", "ferritin", "platelets", "creatinine", "albumin", "hemoglobin", "anc")
DECIMALS = {
    **{"crp": 1, "creatinine": 2, "anc": 1, "il6": 1, "age": 1, "weight": 1},
    **{"mtv": 1, "spd": 1, "largest_lesion": 1, "m_protein": 1},
}
"""Decimals that a laboratory or a chart reports; none where not named."""

ECOG: Shares = {"0": 0.34, "1": 0.54, "2": 0.10, "3": 0.02}
SEX: Shares = {"male": 0.62, "female": 0.38}
INFECTION: Shares = {"none": 0.90, "controlled": 0.085, "uncontrolled": 0.015}
CNS: Shares = {"none": 0.94, "treated": 0.05, "active": 0.01}
CNS_B_ALL: Shares = {"none": 0.83, "treated": 0.14, "active": 0.03}
BRIDGING_KIND: Shares = {
    "steroid": 0.20,
    "radiotherapy": 0.20,
    "chemo": 0.40,
    "targeted": 0.10,
    "combined": 0.10,
}
LYMPHODEPLETION: Shares = {
    "flu_cy": 0.88,
    "bendamustine": 0.09,
    "cy_alone": 0.02,
    "flu_cy_other": 0.01,
}
PROPHYLAXIS: Shares = {"none": 0.84, "steroid": 0.09, "tocilizumab": 0.05, "anakinra": 0.02}
NEURO_SHARE, BRIDGING_SHARE, EXTRAMEDULLARY_SHARE, BULK_CM = 0.13, 0.55, 0.25, 10.0


@dataclass(frozen=True)
class Patients:
    """Complete patients: nothing is missing yet.

    ``site`` and ``cell`` (an index into ``CELLS``) have shape (n,); ``columns`` holds predictors
    under their contract names in canonical units, NaN only where a measure has no meaning.
    """

    site: Array
    cell: Array
    columns: dict[str, Array]


def draw_patients(n: int, sites: int, rng: np.random.Generator) -> Patients:
    """Draw patients in order of their site; every site has one if there are enough of them."""
    size = rng.dirichlet(np.full(sites, SITE_SIZES))
    first = np.arange(min(n, sites))
    site = np.sort(np.concatenate([first, rng.choice(sites, n - len(first), p=size)]))
    products = rng.dirichlet(SITE_MIX * np.array([s for s, _ in CASE_MIX.values()]), size=sites)
    within = np.array([CASE_MIX[product][1][disease] for product, disease in CELLS])
    cell = _draw_rows(products[:, PRODUCT_OF_CELL] * within, site, rng)
    return patients_in(site, cell, sites, rng)


def patients_in(site: Array, cell: Array, sites: int, rng: np.random.Generator) -> Patients:
    """Draw the predictors of patients whose site and cell are known, each of shape (n,)."""
    draw = _Draw(site, cell, sites, rng)
    disease = DISEASE_OF_CELL[cell]
    columns = {"product": np.array(PRODUCT_NAMES, dtype=object)[PRODUCT_OF_CELL[cell]]}
    columns |= {"disease": disease} | draw.body()
    columns |= draw.laboratory(columns["age"]) | draw.burden()
    columns |= draw.condition() | draw.treatment()
    return Patients(site, cell, {name: _as_reported(name, v) for name, v in columns.items()})


class _Draw:
    """The draws for one set of patients, sharing the latent factor and the shifts of sites."""

    def __init__(self, site: Array, cell: Array, sites: int, rng: np.random.Generator) -> None:
        self.site, self.cell, self.sites, self.rng = site, cell, sites, rng
        self.n = len(site)
        self.illness = rng.standard_normal(self.n)

    def standard(self, name: str) -> Array:
        """Return a predictor in spreads from its centre: latent factor, own part, site's shift."""
        loading = LOADINGS.get(name, 0.0)
        shift = SITE_SPREAD * self.rng.standard_normal(self.sites)
        own = np.sqrt(1 - loading**2) * self.rng.standard_normal(self.n)
        return np.asarray(loading * self.illness + own + shift[self.site])

    def typical(self, name: str) -> Array:
        """Return a predictor on its typical value's scale, by disease."""
        rows = [typical(name, disease) for _, disease in CELLS]
        centre = np.array([transformed_centre(row) for row in rows])[self.cell]
        spread = np.array([row.spread for row in rows])[self.cell]
        value = centre + spread * self.standard(name)
        return np.asarray(_BACK[rows[0].transform](value))

    def laboratory(self, age_years: Array) -> dict[str, Array]:
        """Return blood counts and chemistry: LDH by the site's own limit, creatinine by age."""
        limit = 5.0 * np.round(self.rng.uniform(210, 280, self.sites) / 5)[self.site]
        columns = {name: self.typical(name) for name in LABORATORY}
        columns["creatinine"] = columns["creatinine"] * usual_creatinine(age_years)
        # No distribution of IL-6 before infusion is in the tables: a median of 5 pg/mL is assumed.
        il6 = 5.0 * np.exp(self.standard("il6"))
        return columns | {"ldh_uln": limit, "ldh": limit * self.typical("ldh"), "il6": il6}

    def body(self) -> dict[str, Array]:
        """Return age, sex and size; tisagenlecleucel in leukaemia is for those up to 25 years."""
        adult = np.clip(self.typical("age"), ADULT_YEARS, 90.0)
        young = 3.0 + 22.0 * self.rng.beta(1.5, 2.5, self.n)
        paediatric = np.array([cell == ("tisagenlecleucel", "B_ALL") for cell in CELLS])
        age = np.where(paediatric[self.cell], young, adult)
        sex = self.word(SEX)
        grown = np.where(sex == "male", 176.0, 163.0)
        height = np.minimum(grown, 78.0 + 6.0 * age) + 6.5 * self.rng.standard_normal(self.n)
        mass_index = np.minimum(26.5, 15.0 + 0.5 * age) * np.exp(
            0.17 * self.rng.standard_normal(self.n)
        )
        weight = mass_index * (height / 100) ** 2
        return {"age": age, "sex": sex, "height": height, "weight": weight}

    def burden(self) -> dict[str, Array]:
        """Return every measure of burden in the diseases that have it, else NaN."""
        latent = self.standard("burden")
        columns = {}
        for row in burden_measures():
            if row.measure not in BURDEN_CORRELATION:
                continue
            rho = BURDEN_CORRELATION[row.measure]
            z = rho * latent + np.sqrt(1 - rho**2) * self.rng.standard_normal(self.n)
            if row.median is not None and row.spread is not None:
                value = row.median * np.exp(row.spread * z)
            else:
                value = np.interp(ndtr(z), row.levels, row.values)
            measured_in = [row.measure in SOURCES[disease] for _, disease in CELLS]
            columns[row.measure] = np.where(np.array(measured_in)[self.cell], value, np.nan)
        lesion = columns["largest_lesion"]
        bulk = np.where(np.isnan(lesion), np.nan, (lesion >= BULK_CM).astype(float))
        return columns | {"bulky_disease": bulk}

    def condition(self) -> dict[str, Array]:
        """Return performance, comorbidity and spread of the disease."""
        leukaemia = (DISEASE_OF_CELL == "B_ALL")[self.cell]
        extramedullary = self.standard("extramedullary_disease") > -ndtri(EXTRAMEDULLARY_SHARE)
        return {
            "ecog": _cut(self.standard("ecog"), ECOG).astype(float),
            "active_infection": _cut(self.standard("active_infection"), INFECTION),
            "neuro_comorbidity": (self.rng.random(self.n) < NEURO_SHARE).astype(float),
            "cns_involvement": np.where(leukaemia, self.word(CNS_B_ALL), self.word(CNS)),
            "extramedullary_disease": extramedullary.astype(float),
        }

    def treatment(self) -> dict[str, Array]:
        """Return treatment before and around infusion; words follow each site's own policy."""
        bridged = self.standard("bridging") > -ndtri(BRIDGING_SHARE)
        return {
            "prior_lines": np.maximum(self.typical("prior_lines"), 1.0),
            "bridging": np.where(bridged, self.policy(BRIDGING_KIND), "none"),
            "ld_regimen": self.policy(LYMPHODEPLETION),
            "crs_prophylaxis": self.policy(PROPHYLAXIS),
        }

    def word(self, shares: Shares) -> Array:
        """Draw words with the same shares everywhere."""
        everywhere = np.tile(list(shares.values()), (self.sites, 1))
        return np.asarray(_words(shares)[_draw_rows(everywhere, self.site, self.rng)])

    def policy(self, shares: Shares) -> Array:
        """Draw words with shares that each site draws for itself."""
        own = self.rng.dirichlet(SITE_POLICY * np.array(list(shares.values())), size=self.sites)
        return np.asarray(_words(shares)[_draw_rows(own, self.site, self.rng)])


_BACK: dict[str, Callable[[Array], Array]] = {
    "log": np.exp,
    "ldh_ratio": np.exp,
    "creatinine_ratio": np.exp,
    "log1p": np.expm1,
    "identity": np.asarray,
}


def _words(shares: Shares) -> Array:
    return np.array(list(shares), dtype=object)


def _draw_rows(shares: Array, row: Array, rng: np.random.Generator) -> Array:
    """Draw a column of ``shares`` (n_rows, n_columns) for each patient's ``row`` (n,)."""
    cumulative = np.cumsum(shares, axis=1)
    at = rng.random(len(row))
    return np.asarray(sum((at > column[row]).astype(int) for column in cumulative.T[:-1]))


def _cut(standard: Array, shares: Shares) -> Array:
    """Cut a standard normal value into ordered words of the given shares."""
    edges = ndtri(list(accumulate(shares.values()))[:-1])
    return np.asarray(_words(shares)[np.searchsorted(edges, standard)])


def _as_reported(name: str, values: Array) -> Array:
    """Round as a laboratory reports and hold within the contract's hard limits."""
    declared = PREDICTORS[name]
    if not isinstance(declared, Quantity):
        return values
    return np.clip(np.round(values, DECIMALS.get(name, 0)), *declared.hard)
