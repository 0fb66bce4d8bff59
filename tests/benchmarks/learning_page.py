"""The benchmark's page."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from learning_aims import aims_part, shortcomings
from learning_table import DEFAULT, LABELS, MAIN, OUTCOMES, TRUTHS, best_local, markdown, ratio


def page(summary: pd.DataFrame, out: Path, command: str) -> str:
    """Return the page in Markdown."""
    centres = int(summary["centres"].max())
    everyone = summary[summary["centres"] == centres]
    slow = summary[summary["centres"] < centres]
    main = everyone[everyone["truth"] == MAIN]
    parts = [
        f"`{command}` on a machine of {os.cpu_count()} cores made this page, its "
        f"[table]({out.name}.csv) and its figure ({_minutes(summary):.0f} minutes of one "
        "processor): **every patient in it is simulated, and nothing in it is clinical "
        "performance.**",
        "# Learning benchmark",
        _intro(centres),
        f"![Excess log-loss against the number of patients]({out.name}.png)\n\n"
        "The band around the default is one standard error of the mean over centres. "
        "Both axes are logarithmic.",
        *(_outcome_part(main, slow, outcome) for outcome in OUTCOMES),
        _other_part(everyone[everyone["truth"] != MAIN]),
        _seconds_part(*(f[f["outcome"] == "severe_icans"] for f in (main, slow))),
        aims_part(everyone),
        "## Where the default falls short\n\n"
        "Found by the script: aims missed, the coverage of every other cell of this page among "
        "them, and learners with a mean loss smaller by 2 % or more on the same centres.\n\n"
        + "\n".join(f"* {line}" for line in shortcomings(everyone, slow)),
        _methods(centres, slow, "local_flaml" in set(summary["learner"])),
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
        "*Evidence, recalibrated* lets the centre correct base rates and the slope of all effects "
        "together. "
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
            said = _loss_of(by_name, name)
            is_least = said != "–" and by_name.loc[name, "excess_log_loss"] == least
            row.append(f"**{said}**" if is_least else said)
        body.append([*row, _beside_best_local(by_name)])
    return markdown(head, body)


def _beside_best_local(by_name: pd.DataFrame) -> str:
    best = best_local(by_name)
    return "–" if best is None else f"{ratio(best)}, {LABELS[str(best.name)]}"


def _default_table(own: pd.DataFrame) -> str:
    """Return calibration, coverage and discrimination of the default, beside its peers' best."""
    head = [
        *("n", "events, mean", "slope, median (80 % of centres)", "slope of ridge"),
        *("coverage of 90 % intervals", "of the worst tenth", "AUROC", "of evidence", "of ridge"),
        "of the true risk",
    ]
    body = []
    for n, cell in own.groupby("n"):
        by_name = cell.set_index("learner")
        us = by_name.loc[DEFAULT]
        ridge = by_name.loc["local_ridge"] if "local_ridge" in by_name.index else None
        body.append(
            [
                f"{n}",
                f"{us['events']:.0f}",
                f"{us['slope']:.2f} ({us['slope_low']:.2f} to {us['slope_high']:.2f})",
                _or_dash(ridge, "slope", 2),
                f"{100 * us['coverage']:.0f} %",
                f"{100 * us['coverage_low']:.0f} %",
                f"{us['auroc']:.3f}",
                f"{by_name.loc['evidence', 'auroc']:.3f}",
                _or_dash(ridge, "auroc", 3),
                f"{us['best_auroc']:.3f}",
            ]
        )
    return "The default's calibration, intervals and discrimination:\n\n" + markdown(head, body)


def _or_dash(line: pd.Series | None, what: str, digits: int) -> str:
    return "–" if line is None or np.isnan(line[what]) else f"{line[what]:.{digits}f}"


def _other_part(other: pd.DataFrame) -> str:
    names = [name for name in LABELS if name in set(other["learner"])]
    head = [
        *("outcome", "truth", "n", *(LABELS[name] for name in names)),
        *("default / best local (90 % interval)", "slope, median", "coverage"),
    ]
    body = []
    for outcome, title in OUTCOMES.items():
        for truth, meaning in TRUTHS.items():
            here = other[(other["outcome"] == outcome) & (other["truth"] == truth)]
            for n, cell in here.groupby("n"):
                by_name = cell.set_index("learner")
                losses = [_loss_of(by_name, name) for name in names]
                us = by_name.loc[DEFAULT]
                judged = [f"{us['slope']:.2f}", f"{100 * us['coverage']:.0f} %"]
                said = [title, f"{truth}: {meaning}", f"{n}", *losses]
                body.append([*said, _beside_best_local(by_name), *judged])
    return (
        "## When the literature is wrong, or we believe too little of it\n\n"
        "The same patients under other truths: the first three contradict the evidence; under the "
        "last the literature is right and shrinking it for transport is too cautious. "
        "Slope and coverage are the default's.\n\n" + markdown(head, body, 2)
    )


def _loss_of(by_name: pd.DataFrame, name: str) -> str:
    return f"{by_name.loc[name, 'excess_log_loss']:.1f}" if name in by_name.index else "–"


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
        "patients:\n\n" + markdown(head, body)
    )


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
* Our learners are the recipes of `training/learning/recipes.py`, fitted by `training.learning.learner.learn`. Local learners (`tests/benchmarks/peers.py`) get the same terms, a missing value typical, and one column for each product and disease.
* Below 10 events a local learner answers with the centre's rate; its slope is then left out. What ours do then is `training/learning/learner.py`'s to say.
* Ridge: scikit-learn, penalty by cross-validated log-loss. Random forest: 300 trees, at least 10 patients a leaf. Boosting: scikit-learn's, depth 2, under `CalibratedClassifierCV` (sigmoid). XGBoost: depth, step, leaf weight, penalty and subsample by 15 trials of Optuna, rounds by early stopping, all by cross-validated log-loss. Risks are held between 0.001 and 0.999.
* Tuned XGBoost at n = 5000, anchored XGBoost and FLAML take long and run on the first {few} centres only; their losses stand beside those of the others on the same centres.
* {flaml}
* The local learners share with the truth what the terms share with it: transformations, typical values, the percentile of tumour burden."""  # noqa: E501
