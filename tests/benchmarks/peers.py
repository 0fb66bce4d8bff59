"""Learners that start from nothing, as a centre would find them in public packages.

Each is given the terms of the anchored model (transformed, centred, a missing value typical) and
one column for each product and each disease, and answers in log-odds.
"""

import logging
from collections.abc import Callable

import numpy as np
import optuna
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold

Array = np.ndarray
Peer = Callable[[Array, Array, Array, int], Array]
"""From design (n, p), outcome (n,), design of new patients (m, p) and a seed to log-odds (m,)."""

FEWEST_EVENTS = 10
"""With fewer events, or fewer patients without, every peer answers with the cohort's rate."""

FOLDS = 5
FARTHEST_RISK = 1e-3
"""Risks are held between this and one minus this: a forest may say 0, and 0 loses without limit."""

XGBOOST_TRIALS = 15
FLAML_SECONDS = 10.0


def answer(peer: Peer, X: Array, y: Array, new: Array, seed: int) -> Array:
    """Return the log-odds of new patients, those of the cohort's rate where events are too few."""
    if min(y.sum(), len(y) - y.sum()) < FEWEST_EVENTS:
        rate = (y.sum() + 0.5) / (len(y) + 1.0)
        return np.full(len(new), np.log(rate / (1 - rate)))
    return peer(X, y, new, seed)


def ridge(X: Array, y: Array, new: Array, seed: int) -> Array:
    """Return log-odds of a ridge regression, its penalty by cross-validated log-loss."""
    model = LogisticRegressionCV(
        Cs=np.logspace(-3, 1, 9),
        cv=_folds(seed),
        scoring="neg_log_loss",
        max_iter=1000,
        l1_ratios=(0,),
        use_legacy_attributes=False,
    )
    return np.asarray(model.fit(X, y).decision_function(new))


def random_forest(X: Array, y: Array, new: Array, seed: int) -> Array:
    """Return log-odds of a forest of probability trees with at least 10 patients a leaf."""
    model = RandomForestClassifier(300, min_samples_leaf=10, random_state=seed, n_jobs=1)
    return _log_odds(model.fit(X, y).predict_proba(new)[:, 1])


def calibrated_boosting(X: Array, y: Array, new: Array, seed: int) -> Array:
    """Return log-odds of scikit-learn's gradient boosting under a sigmoid calibration."""
    boosted = GradientBoostingClassifier(max_depth=2, subsample=0.7, random_state=seed)
    model = CalibratedClassifierCV(boosted, method="sigmoid", cv=_folds(seed))
    return _log_odds(model.fit(X, y).predict_proba(new)[:, 1])


def tuned_xgboost(X: Array, y: Array, new: Array, seed: int) -> Array:
    """Return log-odds of XGBoost; Optuna chooses how trees grow, cross-validation how many."""
    data = xgboost.DMatrix(X, label=y)
    splits = [(train.tolist(), test.tolist()) for train, test in _folds(seed).split(X, y)]
    rounds: dict[int, int] = {}

    def loss(trial: optuna.Trial) -> float:
        history = xgboost.cv(
            _parameters(trial, seed),
            data,
            num_boost_round=500,
            folds=splits,
            early_stopping_rounds=25,
            as_pandas=False,
        )
        losses = history["test-logloss-mean"]
        rounds[trial.number] = int(np.argmin(losses)) + 1
        return float(min(losses))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(loss, n_trials=XGBOOST_TRIALS)
    best = study.best_trial
    booster = xgboost.train(_parameters(best, seed), data, rounds[best.number])
    return np.asarray(booster.predict(xgboost.DMatrix(new), output_margin=True), dtype=float)


def _parameters(trial: optuna.Trial | optuna.trial.FrozenTrial, seed: int) -> dict[str, object]:
    return {
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "max_depth": trial.suggest_int("max_depth", 1, 5),
        "eta": trial.suggest_float("eta", 0.03, 0.2, log=True),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 20.0, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 1.0, 30.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "max_bin": 64,
        "nthread": 1,
        "seed": seed,
    }


def flaml(X: Array, y: Array, new: Array, seed: int) -> Array:
    """Return log-odds of what FLAML's search finds in ``FLAML_SECONDS``.

    Its search reads the clock, so this is the one answer that differs from run to run.
    """
    from flaml import AutoML
    from flaml import logger as spoken

    spoken.setLevel(logging.ERROR)
    search = AutoML()
    search.fit(
        X_train=X,
        y_train=y.astype(int),
        task="classification",
        metric="log_loss",
        time_budget=FLAML_SECONDS,
        eval_method="cv",  # left to itself it holds out a tenth, which at this size is noise
        n_splits=FOLDS,
        n_jobs=1,
        seed=seed,
        verbose=0,
        log_file_name="",
    )
    return _log_odds(np.asarray(search.predict_proba(new))[:, 1])


def _folds(seed: int) -> StratifiedKFold:
    return StratifiedKFold(FOLDS, shuffle=True, random_state=seed)


def _log_odds(risk: Array) -> Array:
    held = np.clip(risk, FARTHEST_RISK, 1 - FARTHEST_RISK)
    return np.log(held / (1 - held))
