"""What refits on bootstrap samples say, computed again: optimism and instability."""

from collections.abc import Callable

import numpy as np

from tests.training.evaluation.plain_formulas import (
    Array,
    auroc,
    auroc_with_ends,
    curve_on,
    distances,
    intercept,
    knots_of,
    log_losses,
    logit,
    observed_over_expected,
    risk,
    slope,
    with_normal_ends,
)
from tests.training.evaluation.recompute_views import (
    Json,
    Numbers,
    Table,
    complete,
    line,
    net_benefit,
    put,
    thresholds_of,
)

MEASURES: dict[str, Callable[[Array, Array], tuple[float, ...]]] = {
    "auroc": auroc_with_ends,
    "calibration_slope": slope,
    "calibration_intercept": intercept,
    "observed_over_expected": observed_over_expected,
    "brier": lambda z, y: with_normal_ends((risk(z) - y) ** 2),
    "log_loss": lambda z, y: with_normal_ends(log_losses(z, y)),
    "ici": lambda z, y: (float(distances(z, y, np.arange(len(y)), knots_of(z, y)).mean()),),
}


def refits_of(table: Table) -> tuple[Array, Array, Array, Array, list[Array]]:
    """Model, outcome and refits of patients whom all answer, and the places of those drawn."""
    refits, drawn = table.rows("refit"), table.rows("drawn")
    kept = complete(refits)
    refits, drawn = refits[kept], drawn[kept]
    known = ~np.isnan(refits).any(axis=0) & ~np.isnan(table.column["model"])
    place = np.cumsum(known) - 1
    samples = [place[d[known[d]]] for d in drawn]
    model, y = table.column["model"][known], table.column["outcome"][known]
    return model, y, refits[:, known], np.flatnonzero(known), samples


def optimism(said: Json, table: Table) -> Numbers:
    at = "optimism_corrected"
    model, y, refits, _, samples = refits_of(table)
    found: Numbers = {f"{at}.refits": len(refits), f"{at}.patients": len(y)}

    for name, measure in MEASURES.items():
        each = [three(name, z, y, sample) for z, sample in zip(refits, samples, strict=True)]
        corrected(found, f"{at}.{name}", measure(model, y), np.array(each))
    thresholds = thresholds_of(said)
    line(found, f"{at}.thresholds", thresholds)
    gain = [
        net_benefit(z[None, s], y[s], thresholds) - net_benefit(z[None], y, thresholds)
        for z, s in zip(refits, samples, strict=True)
    ]
    worth = net_benefit(model[None], y, thresholds) - np.mean(gain, axis=0)
    line(found, f"{at}.net_benefit", worth)
    return found


def three(name: str, z: Array, y: Array, sample: Array) -> list[float]:
    """A refit on the patients it drew, on all, and on those it missed."""
    everyone = np.arange(len(y))
    thirds = (sample, everyone, np.setdiff1d(everyone, sample))
    if name == "ici":
        return [float(distances(z, y, who, knots_of(z, y)).mean()) for who in thirds]
    if name == "auroc":
        return [auroc(z[who], y[who]) for who in thirds]
    return [MEASURES[name](z[who], y[who])[0] for who in thirds]


def corrected(found: Numbers, at: str, apparent: tuple[float, ...], each: Array) -> None:
    moved = float(np.mean(each[:, 0] - each[:, 1]))
    found[f"{at}.apparent"], found[f"{at}.optimism"] = apparent[0], moved
    found[f"{at}.out_of_bag"] = float(each[:, 2].mean())
    put(found, f"{at}.corrected", tuple(end - moved for end in apparent))


def instability(said: Json, table: Table) -> Numbers:
    at = "instability"
    model, y, refits, places, _ = refits_of(table)
    change = np.array(
        [np.mean([abs(r - m) for r in risk(z)]) for z, m in zip(refits.T, risk(model), strict=True)]
    )
    found: Numbers = {
        f"{at}.refits": len(refits),
        f"{at}.patients": len(y),
        f"{at}.mean_absolute_change": change.mean(),
        f"{at}.median_absolute_change": np.median(change),
        f"{at}.centile_95_absolute_change": np.quantile(change, 0.95),
    }
    for i, t in enumerate(said["asked"]["thresholds"]):
        cut = logit(t) - 1e-9
        found[f"{at}.reclassified.{i}.threshold"] = t
        found[f"{at}.reclassified.{i}.share"] = np.mean((refits >= cut) != (model >= cut))
    limits = [np.quantile(model, k / 10) for k in range(1, 10)]
    tenth = np.array([sum(z >= limit for limit in limits) for z in model])
    names = ("centile_2_5", "centile_25", "centile_50", "centile_75", "centile_97_5")
    for i, number in enumerate(sorted(set(tenth))):
        who = tenth == number
        found[f"{at}.bands.{i}.risk"] = risk(model[who]).mean()
        for name, share in zip(names, (0.025, 0.25, 0.5, 0.75, 0.975), strict=True):
            own = [np.quantile(risk(z), share) for z in refits.T[who]]
            found[f"{at}.bands.{i}.{name}"] = np.mean(own)
    grid = np.linspace(*np.quantile(model, [0.01, 0.99]), 50)
    curves = np.array([curve_on(grid, z, y)[0] for z in refits])
    thresholds = thresholds_of(said)
    worth = np.array([net_benefit(z[None], y, thresholds) for z in refits])
    line(found, f"{at}.calibration_risk", risk(grid))
    line(found, f"{at}.thresholds", thresholds)
    for end, share in (("low", 0.025), ("high", 0.975)):
        line(found, f"{at}.calibration_{end}", np.quantile(curves, share, axis=0))
        line(found, f"{at}.net_benefit_{end}", np.quantile(worth, share, axis=0))
    served = (table.column["high"] - table.column["low"])[places]
    of_refits = np.quantile(refits, 0.95, axis=0) - np.quantile(refits, 0.05, axis=0)
    found[f"{at}.served_over_bootstrap"] = np.nanmedian(served / of_refits)
    return {k: float(v) for k, v in found.items()}
