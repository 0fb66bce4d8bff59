"""The benchmark's rows as one line a cell of the comparison, and what its learners are called."""

import numpy as np
import pandas as pd

Array = np.ndarray

DEFAULT = "anchored"
LABELS = {
    "product_rate": "product rate",
    "evidence": "evidence",
    "recalibrated_evidence": "evidence, recalibrated",
    "anchored_ridge": "anchored ridge",
    "anchored_xgboost": "anchored XGBoost",
    "anchored": "anchored (default)",
    "local_ridge": "ridge",
    "local_forest": "random forest",
    "local_boosting": "boosting, sigmoid",
    "local_xgboost": "XGBoost, tuned",
    "local_flaml": "FLAML",
}
OUTCOMES = {"severe_crs": "Severe CRS", "severe_icans": "Severe ICANS"}
TRUTHS = {
    "reversed": "every effect has the opposite sign",
    "null": "no effect at all, only product, disease and centre",
    "shifted": "every base rate is off by 1.2 in log-odds",
    "stronger": "effects as published, nothing lost in transport",
}
MAIN = "perturbed"
RESAMPLES = 2000


def summarise(rows: pd.DataFrame, slow_centres: int) -> pd.DataFrame:
    """Return one line a truth, outcome, n and learner.

    Twice: over all centres, for the learners that ran on all of them, and over the first
    ``slow_centres`` for all learners, so that every comparison is between the same centres.
    """
    few = rows[(rows["centre"] < slow_centres) & (rows["truth"] == MAIN)]
    lines = [*_lines(rows), *_lines(few)]
    return pd.DataFrame(lines).drop_duplicates(["truth", "outcome", "n", "learner", "centres"])


def _lines(rows: pd.DataFrame) -> list[dict[str, object]]:
    lines = []
    for (truth, outcome, n), cell in rows.groupby(["truth", "outcome", "n"]):
        by_learner = {name: own.sort_values("centre") for name, own in cell.groupby("learner")}
        default = by_learner.get(DEFAULT)
        if default is None:
            continue
        for name, own in by_learner.items():
            if len(own) == len(default):
                said = {"truth": truth, "outcome": outcome, "n": n, "centres": len(own)}
                lines.append(said | {"learner": name} | _line(own, default))
    return lines


def _line(own: pd.DataFrame, default: pd.DataFrame) -> dict[str, float]:
    loss, slope = 1e3 * own["excess_log_loss"].to_numpy(), own["slope"]
    low, high = _ratio_interval(1e3 * default["excess_log_loss"].to_numpy(), loss)
    return {
        "events": own["events"].mean(),
        "excess_log_loss": loss.mean(),
        "standard_error": loss.std(ddof=1) / np.sqrt(len(loss)) if len(loss) > 1 else np.nan,
        "default_over_this": 1e3 * default["excess_log_loss"].mean() / loss.mean(),
        "ratio_low": low,
        "ratio_high": high,
        "auroc": own["auroc"].mean(),
        "best_auroc": own["best_auroc"].mean(),
        "slope": slope.median(),
        "slope_low": slope.quantile(0.1),
        "slope_high": slope.quantile(0.9),
        "coverage": own["coverage"].mean(),
        "coverage_low": own["coverage"].quantile(0.1),
        "seconds": own["seconds"].mean(),
    }


def _ratio_interval(ours: Array, theirs: Array) -> tuple[float, float]:
    """Return a 90 % bootstrap interval, over centres, of a ratio of means."""
    drawn = np.random.default_rng(1).integers(0, len(ours), (RESAMPLES, len(ours)))
    ratios = ours[drawn].mean(axis=1) / theirs[drawn].mean(axis=1)
    low, high = np.quantile(ratios, [0.05, 0.95])
    return float(low), float(high)


def best_local(by_name: pd.DataFrame) -> pd.Series | None:
    """Return the line of the local learner that loses least, of lines indexed by learner."""
    local = by_name[by_name.index.str.startswith("local_")]
    return None if local.empty else local.loc[local["excess_log_loss"].idxmin()]


def ratio(line: pd.Series, digits: int = 2) -> str:
    """Return how much of this learner's loss the default loses, with its 90 % interval."""
    interval = f"({line['ratio_low']:.2f} to {line['ratio_high']:.2f})"
    return f"{line['default_over_this']:.{digits}f} {interval}"


def markdown(head: list[str], body: list[list[str]], words: int = 1) -> str:
    """Return a Markdown table whose first columns are words, the rest numbers."""
    lines = [head, ["---"] * words + ["---:"] * (len(head) - words), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
