"""The sample-size criteria computed again, by a fine grid and bisection."""

import math

import numpy as np
from scipy.stats import norm

from tests.training.evaluation.plain_formulas import logit, risk
from tests.training.evaluation.recompute_views import Json, Numbers, Table


def sample_size(said: Json, table: Table) -> Numbers:
    y, part = table.column["outcome"], said["sample_size"]
    phi, n, p, area = y.mean(), len(y), said["asked"]["parameters"], part["anticipated_auroc"]
    x = np.linspace(-12, 16, 400_001)
    mu = math.sqrt(2) * norm.ppf(area)
    density = (1 - phi) * norm.pdf(x) + phi * norm.pdf(x - mu)
    density /= density.sum()
    z = logit(phi) - mu**2 / 2 + mu * x
    q = density * risk(z) * (1 - risk(z))
    null = phi * math.log(phi) + (1 - phi) * math.log(1 - phi)
    r2 = 1 - math.exp(-2 * (density @ (risk(z) * z - np.log1p(np.exp(z))) - null))
    nagelkerke = r2 / (r2 + 0.05 * (1 - math.exp(2 * null)))
    margin = 0.05 if phi > 0.1 else phi / 4
    error = math.asinh(0.2) / 1.96
    needed: dict[str, float] = {
        "development_prevalence": (1.96 / margin) ** 2 * phi * (1 - phi),
        "external_observed_over_expected": (1 - phi) / (phi * error**2),
        "external_slope": q.sum() / ((0.2 / 1.96) ** 2 * (q.sum() * (q @ z**2) - (q @ z) ** 2)),
        "external_auroc": of_auroc(phi, area),
    }
    if p is not None:
        mape = -0.508 + 0.259 * math.log(phi) + 0.504 * math.log(p) - math.log(0.05)
        needed |= {
            "development_shrinkage": p / (-0.1 * math.log(1 - r2 / 0.9)),
            "development_optimism": p / ((nagelkerke - 1) * math.log(1 - r2 / nagelkerke)),
            "development_error": math.exp(mape / 0.544),
            "events_per_parameter": 10 * p / phi,
        }
    found: Numbers = {"sample_size.patients": n, "sample_size.events": y.sum()}
    found["sample_size.prevalence"] = phi
    for i, criterion in enumerate(part["criteria"]):
        if criterion["name"] in needed:
            required = math.ceil(needed[criterion["name"]] - 1e-6)
            found[f"sample_size.criteria.{i}.required_patients"] = required
            found[f"sample_size.criteria.{i}.required_events"] = math.ceil(required * phi - 1e-6)
    return found


def of_auroc(phi: float, c: float) -> float:
    """The n at which Newcombe's variance gives an interval 0.1 wide, by bisection."""

    def error(n: float) -> float:
        more = (n / 2 - 1) * ((1 - c) / (2 - c) + c / (1 + c))
        return math.sqrt(c * (1 - c) * (1 + more) / (n**2 * phi * (1 - phi)))

    low, high = 2.0, 1e7
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if error(middle) > 0.1 / 3.92 else (low, middle)
    return high
