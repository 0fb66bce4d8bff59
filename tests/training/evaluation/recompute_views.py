"""Numbers of one set of risks computed again: views, cells, pooling, comparisons."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from tests.training.evaluation.plain_formulas import (
    Z95,
    Array,
    auprc,
    auroc_with_ends,
    benefit_of_each,
    centile,
    curve_on,
    distances,
    intercept,
    knots_of,
    log_losses,
    logit,
    observed_over_expected,
    risk,
    slope,
    wilson,
    with_normal_ends,
)

Json = Any
Numbers = dict[str, float]
"""Where a number stands in the evaluation, and what it should be."""


@dataclass
class Table:
    """The columns of the file, by kind and name."""

    column: dict[str, Array]
    fitted_here: bool

    def named(self, kind: str) -> dict[str, Array]:
        return {k.split("/", 1)[1]: v for k, v in self.column.items() if k.startswith(kind + "/")}

    def rows(self, kind: str) -> Array:
        return np.array(list(self.named(kind).values()))


def read(path: Path, fitted_here: bool) -> Table:
    frame = pd.read_parquet(path)
    return Table({str(name): frame[name].to_numpy() for name in frame}, fitted_here)


def complete(rows: Array) -> Array:
    """Rows that answer at least 95 % of the patients whom any row answers; all, if none does."""
    answered = (~np.isnan(rows)).sum(axis=1)
    enough = answered >= 0.95 * (~np.isnan(rows)).any(axis=0).sum()
    return enough if enough.any() else np.full(len(rows), True)


def patients_of(rows: Array) -> tuple[Array, Array]:
    """Repeats to use, and the places of patients with a number in each of them."""
    rows = np.atleast_2d(rows)
    rows = rows[complete(rows)]
    places = np.flatnonzero(~np.isnan(rows).any(axis=0))
    return rows[:, places], places


def put(found: Numbers, at: str, triple: tuple[float, ...] | Array) -> None:
    for name, value in zip(("value", "low", "high"), triple, strict=False):
        found[f"{at}.{name}"] = float(value)


def mean_of(measure: Callable[[Array, Array], Any], rows: Array, y: Array) -> Array:
    return np.mean([measure(z, y) for z in rows], axis=0)


def line(found: Numbers, at: str, values: Any) -> None:
    found.update({f"{at}.{i}": float(v) for i, v in enumerate(values)})


def cell_measures(found: Numbers, at: str, rows: Array, y: Array) -> None:
    put(found, f"{at}.auroc", mean_of(auroc_with_ends, rows, y))
    put(found, f"{at}.calibration_slope", mean_of(slope, rows, y))
    put(found, f"{at}.observed_over_expected", mean_of(observed_over_expected, rows, y))


def brier_and_loss(found: Numbers, at: str, rows: Array, y: Array) -> None:
    put(found, f"{at}.brier", mean_of(lambda z, y: with_normal_ends((risk(z) - y) ** 2), rows, y))
    put(found, f"{at}.log_loss", mean_of(lambda z, y: with_normal_ends(log_losses(z, y)), rows, y))


def thresholds_of(said: Json) -> Array:
    low, high = said["asked"]["net_benefit_range"]
    return np.linspace(low, high, max(2, round((high - low) / 0.01) + 1))


def net_benefit(rows: Array, y: Array, thresholds: Array) -> Array:
    return np.array([np.mean([benefit_of_each(z, y, t).mean() for z in rows]) for t in thresholds])


def treat_all(y: Array, thresholds: Array) -> Array:
    return y.mean() - (1 - y.mean()) * thresholds / (1 - thresholds)


def view(said: Json, at: str, log_odds: Array, outcome: Array) -> Numbers:
    rows, places = patients_of(log_odds)
    y, n = outcome[places], len(places)
    found: Numbers = {
        f"{at}.repeats": len(rows),
        f"{at}.measures.patients": n,
        f"{at}.measures.events": y.sum(),
        f"{at}.measures.without_answer": len(outcome) - n,
        f"{at}.measures.prevalence": y.mean(),
    }
    m = f"{at}.measures"
    cell_measures(found, m, rows, y)
    brier_and_loss(found, m, rows, y)
    put(found, f"{m}.calibration_intercept", mean_of(intercept, rows, y))
    found[f"{m}.auprc.value"] = float(mean_of(auprc, rows, y))
    of_prevalence = y.mean() * (1 - y.mean())
    found[f"{m}.scaled_brier.value"] = 1 - found[f"{m}.brier.value"] / of_prevalence
    everyone = np.arange(n)
    each = [distances(z, y, everyone, knots_of(z, y)) for z in rows]
    found[f"{m}.ici.value"] = float(np.mean(each))
    found[f"{m}.e50.value"] = float(np.mean([centile(d, 0.5) for d in each]))
    found[f"{m}.e90.value"] = float(np.mean([centile(d, 0.9) for d in each]))
    grid = np.linspace(*np.quantile(rows, [0.01, 0.99]), 50)
    curve = np.mean([curve_on(grid, z, y) for z in rows], axis=0)
    line(found, f"{at}.calibration_curve.risk", risk(grid))
    found[f"{at}.calibration_curve.knots"] = min(len(knots_of(z, y)) for z in rows)
    for name, values in zip(("value", "low", "high"), curve, strict=True):
        line(found, f"{at}.calibration_curve.observed.{name}", values)
    distribution(found, f"{at}.risk_distribution", rows, y)
    thresholds = thresholds_of(said)
    line(found, f"{at}.decision_curve.thresholds", thresholds)
    line(found, f"{at}.decision_curve.model.value", net_benefit(rows, y, thresholds))
    line(found, f"{at}.decision_curve.treat_all.value", treat_all(y, thresholds))
    line(found, f"{at}.decision_curve.treat_none", np.zeros(len(thresholds)))
    for i, t in enumerate(said["asked"]["thresholds"]):
        at_threshold(found, f"{at}.at_thresholds.{i}", rows, y, t)
    return found


def distribution(found: Numbers, at: str, rows: Array, y: Array) -> None:
    line(found, f"{at}.edges", np.linspace(0, 1, 51))
    for name, had in (("events", 1), ("non_events", 0)):
        bins = np.minimum((risk(rows[:, y == had]) * 50).astype(int), 49)
        line(found, f"{at}.{name}", np.bincount(bins.ravel(), minlength=50) / len(rows))


def at_threshold(found: Numbers, at: str, rows: Array, y: Array, t: float) -> None:
    found[f"{at}.threshold"] = t
    shares: dict[str, list[tuple[float, float, float]]] = {}
    for z in rows:
        above, had = z >= logit(t) - 1e-9, y == 1
        for name, hit, of in (
            ("share_above", above, np.full(len(y), True)),
            ("sensitivity", above, had),
            ("specificity", ~above, ~had),
            ("ppv", had, above),
            ("npv", ~had, ~above),
        ):
            shares.setdefault(name, []).append(wilson(int((hit & of).sum()), int(of.sum())))
    for name, triples in shares.items():
        put(found, f"{at}.{name}", np.mean(triples, axis=0))
    benefit = mean_of(lambda z, y: with_normal_ends(benefit_of_each(z, y, t)), rows, y)
    put(found, f"{at}.net_benefit", benefit)


def cells(said: Json, at: str, rows: Array, y: Array, words: Array) -> Numbers:
    found: Numbers = {}
    for i, word in enumerate(sorted(set(words))):
        here, who = f"{at}.{i}", words == word
        found[f"{here}.patients"] = who.sum()
        if min(y[who].sum(), (1 - y[who]).sum()) < said["asked"]["smallest_cell"]:
            continue
        found[f"{here}.events"] = y[who].sum()
        cell_measures(found, here, rows[:, who], y[who])
        for j, t in enumerate(said["asked"]["thresholds"]):
            of_each = [with_normal_ends(benefit_of_each(z[who], y[who], t)) for z in rows]
            put(found, f"{here}.net_benefit.{j}", np.mean(of_each, axis=0))
    return found


def pooled(found: Numbers, at: str, table: Json, measure: str, to: Any, back: Any) -> None:
    whole = [c[measure] for c in table if c[measure]["low"] is not None]
    found[f"{at}.groups"] = k = len(whole)
    if k < 2:
        return
    y = np.array([to(e["value"]) for e in whole])
    v = np.array([((to(e["high"]) - to(e["low"])) / (2 * Z95)) ** 2 for e in whole])

    def scatter(between: float) -> float:
        w = 1 / (v + between)
        return float(np.sum(w * (y - np.sum(w * y) / np.sum(w)) ** 2))

    low, high = 0.0, 0.0 if scatter(0.0) <= k - 1 else 1e3
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if scatter(middle) > k - 1 else (low, middle)
    w = 1 / (v + high)
    mean = np.sum(w * y) / np.sum(w)
    error = math.sqrt(max(1.0, scatter(high) / (k - 1)) / np.sum(w))
    half = student.ppf(0.975, k - 1) * error
    put(found, f"{at}.mean", tuple(back(x) for x in (mean, mean - half, mean + half)))
    found[f"{at}.tau_squared"] = high
    found[f"{at}.i_squared"] = max(0.0, 1 - (k - 1) / scatter(0.0)) if scatter(0.0) else 0.0
    if k > 2:
        half = student.ppf(0.975, k - 2) * math.sqrt(high + error**2)
        found[f"{at}.prediction_low"] = float(back(mean - half))
        found[f"{at}.prediction_high"] = float(back(mean + half))


def same(x: float) -> float:
    return x


SCALES: dict[str, tuple[Any, Any]] = {
    "auroc": (logit, risk),
    "calibration_slope": (same, same),
    "observed_over_expected": (np.log, np.exp),
}


def across(said: Json, table: Table) -> Numbers:
    found: Numbers = {}
    y, groups = table.column["outcome"], table.named("group")
    for i, part in enumerate(said["across"]):
        by, at = part["by"], f"across.{i}"
        z = table.named("without")[by] if table.fitted_here else table.column["model"]
        found |= view(said, f"{at}.together", z, y)
        rows, places = patients_of(z)
        words = groups.get("year" if by == "later" else by)
        if words is not None:
            found |= cells(said, f"{at}.cells", rows, y[places], words[places])
        if words is not None and by != "later":
            for measure, (to, back) in SCALES.items():
                pooled(found, f"{at}.{measure}", part["cells"], measure, to, back)
    return found


def comparisons(said: Json, table: Table, leading: Array) -> Numbers:
    found: Numbers = {}
    y, (rows, places) = table.column["outcome"], patients_of(leading)
    thresholds = thresholds_of(said)
    for i, part in enumerate(said["comparisons"]):
        at = f"comparisons.{i}"
        other = table.named("comparator")[part["comparator"]][places]
        both = ~np.isnan(other)
        happened, pair = y[places][both], (rows[:, both], other[None, both])
        found |= {f"{at}.patients": both.sum(), f"{at}.events": happened.sum()}
        for name, z in zip(("model", "other"), pair, strict=True):
            here = f"{at}.{name}"
            cell_measures(found, here, z, happened)
            brier_and_loss(found, here, z, happened)
            line(found, f"{here}.net_benefit.value", net_benefit(z, happened, thresholds))
        for measure in ("auroc", "log_loss"):
            difference = found[f"{at}.model.{measure}.value"] - found[f"{at}.other.{measure}.value"]
            found[f"{at}.{measure}_difference.value"] = difference
        line(found, f"{at}.thresholds", thresholds)
        line(found, f"{at}.treat_all.value", treat_all(happened, thresholds))
        worth = [net_benefit(z, happened, thresholds) for z in pair]
        line(found, f"{at}.net_benefit_difference.value", worth[0] - worth[1])
    return found
