"""The benchmark's rows as a table, a page and a figure."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
}
COVERAGE_AIM = (0.85, 0.95)
SLOPE_AIM = {
    0: (0.80, 1.25),
    100: (0.80, 1.25),
    200: (0.85, 1.20),
    500: (0.90, 1.15),
    5000: (0.95, 1.05),
}
WORSE = 1.02
"""From this ratio of losses on, the default is said to fall short of another learner."""

RESAMPLES = 2000
MAIN = "perturbed"


# ---- The table ----------------------------------------------------------------------------------


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


# ---- The page -----------------------------------------------------------------------------------


def page(summary: pd.DataFrame, out: Path, command: str) -> str:
    """Return the page in Markdown."""
    everyone = summary["centres"].max()
    perturbed = summary[summary["truth"] == MAIN]
    main = perturbed[perturbed["centres"] == everyone]
    slow = perturbed[perturbed["centres"] < everyone]
    wrong = summary[summary["truth"] != MAIN]
    parts = [
        f"`{command}` on a machine of {os.cpu_count()} cores made this page, its "
        f"[table]({out.name}.csv) and its figure ({_minutes(summary):.0f} minutes of one "
        "processor): **every patient in it is simulated, and nothing in it is clinical "
        "performance.**",
        "# Learning benchmark",
        _intro(int(everyone)),
        f"![Excess log-loss against the number of patients]({out.name}.png)\n\n"
        "The band around the default is one standard error of the mean over centres. "
        "Both axes are logarithmic.",
        *(_outcome_part(main, slow, outcome) for outcome in OUTCOMES),
        _wrong_part(wrong),
        _seconds_part(*(f[f["outcome"] == "severe_icans"] for f in (main, slow))),
        "## Where the default falls short\n\n"
        "Found by the script: learners with a mean loss smaller by 2 % or more on the same "
        "centres, and aims missed.\n\n"
        + "\n".join(f"* {line}" for line in shortcomings(main, slow, wrong)),
        _methods(int(everyone), slow, "local_flaml" in set(summary["learner"])),
    ]
    return "\n\n".join(parts) + "\n"


def _minutes(summary: pd.DataFrame) -> float:
    """Return processor minutes of all fits; the lines over few centres are counted once."""
    once = summary.sort_values("centres").drop_duplicates(
        ["truth", "outcome", "n", "learner"], keep="last"
    )
    return float((once["seconds"] * once["centres"]).sum() / 60)


def _intro(centres: int) -> str:
    return (
        "How much is lost against knowing each patient's true risk, by learning from n patients "
        f"of one centre?\nMean over {centres} simulated centres of the excess of the expected "
        "log-loss, times 1000; lower is better, 0 is perfect.\n"
        "Each centre's truth departs from the published evidence in base rate, in every effect "
        "and in shape, as [simulated cohorts](simulation.md) explains.\n\n"
        "*Product rate*, *evidence* and n = 0 use the literature alone. "
        "*Evidence, recalibrated* lets the centre correct base rates only. "
        "The *anchored* learners start from the evidence and let the centre correct all of it. "
        "Ridge, forest, boosting, XGBoost and FLAML are *local*: they know the centre's patients "
        "and nothing else."
    )


def _outcome_part(main: pd.DataFrame, slow: pd.DataFrame, outcome: str) -> str:
    own, few = (frame[frame["outcome"] == outcome] for frame in (main, slow))
    title = OUTCOMES[outcome]
    parts = [f"## {title}", _losses(own), _default_table(own)]
    if len(few):
        names = ["anchored", "anchored_xgboost", "local_ridge", "local_xgboost", "local_flaml"]
        kept = few[few["learner"].isin(names)]
        parts += [
            f"Learners that take long, and the others on the same {few['centres'].max()} centres:",
            _losses(kept[kept["n"].isin(few[few["learner"] == "local_xgboost"]["n"])]),
        ]
    return "\n\n".join(parts)


def _losses(frame: pd.DataFrame) -> str:
    """Return a table of excess log-loss with the ratio of the default to the best local."""
    names = [name for name in LABELS if name in set(frame["learner"])]
    head = ["n", *(LABELS[name] for name in names), "default / best local (90 % interval)"]
    body = []
    for n, cell in frame.groupby("n"):
        by_name = cell.set_index("learner")
        least = by_name["excess_log_loss"].min()
        row = [f"{n}"]
        for name in names:
            if name not in by_name.index:
                row.append("–")
                continue
            loss = by_name.loc[name, "excess_log_loss"]
            row.append(f"**{loss:.1f}**" if loss == least else f"{loss:.1f}")
        body.append([*row, _best_local(by_name)])
    return _table(head, body)


def _best_local(by_name: pd.DataFrame) -> str:
    local = by_name[by_name.index.str.startswith("local_")]
    if local.empty:
        return "–"
    name = local["excess_log_loss"].idxmin()
    best = local.loc[name]
    return (
        f"{best['default_over_this']:.2f} ({best['ratio_low']:.2f} to {best['ratio_high']:.2f}), "
        f"{LABELS[name]}"
    )


def _default_table(own: pd.DataFrame) -> str:
    """Return calibration, coverage and discrimination of the default, beside its peers' best."""
    head = [
        *("n", "events, mean", "slope, median (80 % of centres)", "aim", "slope of ridge"),
        *("coverage of 90 % intervals", "of the worst tenth", "AUROC", "of evidence", "of ridge"),
        "of the true risk",
    ]
    body = []
    for n, cell in own.groupby("n"):
        by_name = cell.set_index("learner")
        us = by_name.loc[DEFAULT]
        aim = SLOPE_AIM.get(int(n))
        ridge = by_name.loc["local_ridge"] if "local_ridge" in by_name.index else None
        body.append(
            [
                f"{n}",
                f"{us['events']:.0f}",
                f"{us['slope']:.2f} ({us['slope_low']:.2f} to {us['slope_high']:.2f})",
                f"{aim[0]:.2f} to {aim[1]:.2f}" if aim else "–",
                _or_dash(ridge, "slope", 2),
                f"{100 * us['coverage']:.0f} %",
                f"{100 * us['coverage_low']:.0f} %",
                f"{us['auroc']:.3f}",
                f"{by_name.loc['evidence', 'auroc']:.3f}",
                _or_dash(ridge, "auroc", 3),
                f"{us['best_auroc']:.3f}",
            ]
        )
    return "The default's calibration, intervals and discrimination:\n\n" + _table(head, body)


def _or_dash(line: pd.Series | None, what: str, digits: int) -> str:
    return "–" if line is None or np.isnan(line[what]) else f"{line[what]:.{digits}f}"


def _wrong_part(wrong: pd.DataFrame) -> str:
    names = [name for name in LABELS if name in set(wrong["learner"])]
    head = [
        *("outcome", "truth", *(LABELS[name] for name in names)),
        *("default / best local (90 % interval)", "coverage"),
    ]
    body = []
    for outcome, title in OUTCOMES.items():
        for truth, meaning in TRUTHS.items():
            cell = wrong[(wrong["outcome"] == outcome) & (wrong["truth"] == truth)]
            by_name = cell.set_index("learner")
            losses = [f"{by_name.loc[name, 'excess_log_loss']:.1f}" for name in names]
            covered = f"{100 * by_name.loc[DEFAULT, 'coverage']:.0f} %"
            body.append([title, f"{truth}: {meaning}", *losses, _best_local(by_name), covered])
    return (
        f"## When the literature is wrong, n = {wrong['n'].max()}\n\n"
        "The same patients, under truths that contradict the evidence:\n\n" + _table(head, body, 2)
    )


def _seconds_part(main: pd.DataFrame, slow: pd.DataFrame) -> str:
    frame = pd.concat([slow, main])
    sizes = [n for n in (200, 500, 1500, 5000) if n in set(frame["n"])]
    body = []
    for name, label in LABELS.items():
        own = frame[frame["learner"] == name].drop_duplicates("n", keep="last").set_index("n")
        if len(own):
            took = [f"{own.loc[n, 'seconds']:.2f}" if n in own.index else "–" for n in sizes]
            body.append([label, *took])
    head = ["learner", *(f"n = {n}" for n in sizes)]
    return (
        "## Seconds to fit\n\n"
        "Processor seconds of one thread, to learn severe ICANS and to answer for the judged "
        "patients:\n\n" + _table(head, body)
    )


def shortcomings(main: pd.DataFrame, slow: pd.DataFrame, wrong: pd.DataFrame) -> list[str]:
    """Return what the default does not do well, in words."""
    found = []
    only_few = slow[slow["learner"].isin(["anchored_xgboost", "local_flaml", "local_xgboost"])]
    every = pd.concat([main, only_few, wrong])
    for _, line in every.sort_values(["truth", "outcome", "n"], kind="stable").iterrows():
        where = f"{OUTCOMES[line['outcome']]}, n = {line['n']}"
        where += "" if line["truth"] == MAIN else f", {line['truth']}"
        if line["learner"] == DEFAULT:
            found += _aims_missed(line, where)
        elif line["default_over_this"] > WORSE:
            sure = "clearly" if line["ratio_low"] > 1 else "within the noise of the centres"
            found.append(
                f"{where}: {LABELS[line['learner']]} loses less, {line['excess_log_loss']:.1f}; "
                f"the default loses {line['default_over_this']:.2f} times as much "
                f"({line['ratio_low']:.2f} to {line['ratio_high']:.2f}), {sure}."
            )
    return found or ["Nothing found."]


def _aims_missed(line: pd.Series, where: str) -> list[str]:
    missed = []
    low, high = COVERAGE_AIM
    if not low <= line["coverage"] <= high:
        missed.append(
            f"{where}: 90 % intervals hold the true risk of {100 * line['coverage']:.1f} % of "
            f"patients; the aim is {100 * low:.0f} to {100 * high:.0f} %."
        )
    aim = SLOPE_AIM.get(int(line["n"]))
    if aim and line["truth"] == MAIN and not aim[0] <= line["slope"] <= aim[1]:
        missed.append(
            f"{where}: the median calibration slope is {line['slope']:.2f}; the aim is "
            f"{aim[0]:.2f} to {aim[1]:.2f}."
        )
    return missed


def _methods(centres: int, slow: pd.DataFrame, with_flaml: bool) -> str:
    few = int(slow["centres"].max()) if len(slow) else 0
    flaml = (
        "FLAML searches for 10 seconds by the clock, by the log-loss of five folds, so its numbers "
        "alone differ from run to run. "
        "It has scikit-learn's learners, LightGBM and this project's XGBoost, which is newer than "
        "the one that its own extra `automl` asks for."
        if with_flaml
        else "FLAML was not installed and is left out."
    )
    return f"""## How it was done

* {centres} centres, one seed each, that nothing else in the project uses. A learner sees the first n patients whose outcome is known and is judged on 2,000 others of the same centre.
* Judged by the true risk and not by drawn outcomes: expected log-loss, expected AUROC, and the slope of the true risk on the log-odds. So the noise that is left is that between centres.
* Our learners are the recipes of `training/recipes.py`, fitted by `training.learner.learn`. Local learners (`tests/benchmarks/peers.py`) get the same terms, a missing value typical, and one column for each product and disease.
* Below 10 events a local learner answers with the centre's rate; its slope is then left out. What ours do then is `training/learner.py`'s to say.
* Ridge: scikit-learn, penalty by cross-validated log-loss. Random forest: 300 trees, at least 10 patients a leaf. Boosting: scikit-learn's, depth 2, under `CalibratedClassifierCV` (sigmoid). XGBoost: depth, step, leaf weight, penalty and subsample by 15 trials of Optuna, rounds by early stopping, all by cross-validated log-loss. Risks are held between 0.001 and 0.999.
* Tuned XGBoost at n = 5000, anchored XGBoost and FLAML take long and run on the first {few} centres only; their losses stand beside those of the others on the same centres.
* {flaml}
* The local learners share with the truth what the terms share with it: transformations, typical values, the percentile of tumour burden."""  # noqa: E501


def _table(head: list[str], body: list[list[str]], words: int = 1) -> str:
    """Return a Markdown table whose first columns are words, the rest numbers."""
    lines = [head, ["---"] * words + ["---:"] * (len(head) - words), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


# ---- The figure ---------------------------------------------------------------------------------

_STYLES = {
    # Colours of Okabe and Ito; line and marker tell the learners apart in grey.
    "product_rate": ("#999999", ":", "x"),
    "evidence": ("#000000", ":", "v"),
    "recalibrated_evidence": ("#CC79A7", "-.", "^"),
    "local_forest": ("#E69F00", "--", "D"),
    "local_boosting": ("#56B4E9", "--", "P"),
    "local_xgboost": ("#D55E00", "--", "s"),
    "local_ridge": ("#009E73", "--", "o"),
    "anchored": ("#0072B2", "-", "o"),
}
_ZERO_AT = 24.0
"""Where n = 0 stands on the logarithmic axis."""


def figure(summary: pd.DataFrame) -> bytes:
    """Return a PNG of excess log-loss against n, one panel an outcome."""
    everyone = summary[
        (summary["truth"] == MAIN) & (summary["centres"] == summary["centres"].max())
    ]
    canvas = Figure(figsize=(9, 4.6), layout="constrained")
    panels = canvas.subplots(1, len(OUTCOMES), sharey=True)
    for axes, (outcome, title) in zip(panels, OUTCOMES.items(), strict=True):
        _panel(axes, everyone[everyone["outcome"] == outcome], title)
    panels[0].set_ylabel("excess log-loss over the true risk, ×1000")
    canvas.suptitle("Simulated centres, never clinical performance", fontsize=9, color="#595959")
    handles, labels = panels[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    buffer = BytesIO()
    canvas.savefig(buffer, format="png", dpi=160, metadata={"Software": None})
    return buffer.getvalue()


def _panel(axes: Axes, frame: pd.DataFrame, title: str) -> None:
    sizes = sorted(set(frame["n"]))
    for name, (colour, line, marker) in _STYLES.items():
        own = frame[frame["learner"] == name].sort_values("n")
        at = own["n"].replace(0, _ZERO_AT).to_numpy(dtype=float)
        mean, error = own["excess_log_loss"].to_numpy(), own["standard_error"].to_numpy()
        ours = name == DEFAULT
        axes.plot(
            at,
            mean,
            color=colour,
            linestyle=line,
            marker=marker,
            markersize=6 if ours else 4.5,
            linewidth=2.6 if ours else 1.4,
            label=LABELS[name] + (", local" if name.startswith("local_") else ""),
            zorder=3 if ours else 2,
        )
        if ours:
            axes.fill_between(at, mean - error, mean + error, color=colour, alpha=0.15, linewidth=0)
    axes.set(xscale="log", yscale="log", title=title, xlabel="patients of the centre learnt from")
    axes.set_xticks([n or _ZERO_AT for n in sizes], [f"{n:,}" for n in sizes])
    axes.set_yticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    axes.minorticks_off()
    if 0 in sizes:
        axes.text(35, 0, "//", transform=axes.get_xaxis_transform(), ha="center", va="center")
    axes.grid(axis="y", color="#E0E0E0", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
