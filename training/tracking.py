"""The only file that speaks MLflow: runs, registered versions and their aliases.

The store is SQLite beside the models unless ``MLFLOW_TRACKING_URI`` names a server.
Nothing here is asked while a patient waits.
"""

import errno
import logging
import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_schemas.refusal import Refused
from serving.artefact import Artefact

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
CHALLENGER = "challenger"
_ARTEFACT = "artefact"


class NotRegistered(Refused, LookupError):
    """No such model, version or alias in the registry."""


class RegistryUnavailable(OSError):
    """The tracking store cannot be opened or written."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One registered version of a model."""

    outcome: str
    number: str
    version: str
    sha256: str
    aliases: tuple[str, ...]
    real_patients: int
    simulated_patients: int
    local_deviation: str


class Registry:
    """Runs and registered models of one tracking store."""

    def __init__(self, home: Path) -> None:
        """Open the store that ``MLFLOW_TRACKING_URI`` names, else SQLite under ``home``."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
        home.mkdir(parents=True, exist_ok=True)
        server = os.environ.get("MLFLOW_TRACKING_URI")
        self.uri = server or f"sqlite:///{home.resolve()}/mlflow.db"
        self._artifacts = None if server else home.resolve()
        if not server:
            _check_writable(home.resolve() / "mlflow.db")
        self._client = _client(self.uri)

    def record(self, artefact: Artefact, figures: Mapping[str, bytes]) -> Registered:
        """Log a run with parameters, measures, files and figures, and register it as challenger."""
        manifest = artefact.manifest
        run = self._client.create_run(self._experiment(manifest.experiment), tags=_tags(artefact))
        run_id = run.info.run_id
        self._log_numbers(run_id, artefact)
        self._client.log_artifacts(run_id, str(artefact.folder), _ARTEFACT)
        with tempfile.TemporaryDirectory() as drawn:
            for name, png in figures.items():
                Path(drawn, name).write_bytes(png)
            self._client.log_artifacts(run_id, drawn, "figures")
        self._client.set_terminated(run_id)
        number = self._register(artefact, run_id, f"{run.info.artifact_uri}/{_ARTEFACT}")
        return self._registered(self._client.get_model_version(artefact.model.outcome, number))

    def versions(self) -> list[Registered]:
        """Return every registered version, newest first within each outcome."""
        return [
            registered
            for model in self._client.search_registered_models()
            for registered in self._versions_of(model.name, dict(model.aliases))
        ]

    def _versions_of(self, name: str, aliases: dict[str, str]) -> list[Registered]:
        found = self._client.search_model_versions(f"name='{name}'")
        return [
            self._registered(v, tuple(a for a, n in aliases.items() if str(n) == str(v.version)))
            for v in sorted(found, key=lambda v: -int(v.version))
        ]

    def find(self, outcome: str, wanted: str) -> Registered:
        """Return a version by its alias or by the start of its artefact's version.

        Raises
        ------
        NotRegistered
            If there is none, or the start is that of more than one.
        """
        known = [r for r in self.versions() if r.outcome == outcome]
        aliased = [r for r in known if wanted in r.aliases]
        found = aliased or [r for r in known if wanted and r.version.startswith(wanted)]
        if not found:
            raise NotRegistered(f"{outcome} has no registered version called {wanted}")
        if len({r.version for r in found}) > 1:
            raise NotRegistered(f"more than one version of {outcome} starts with {wanted}")
        return found[0]

    def fetch(self, registered: Registered, into: Path) -> Path:
        """Bring a version's artefact to this machine and return its folder."""
        found = self._client.get_model_version(registered.outcome, registered.number)
        path = self._client.download_artifacts(str(found.run_id), _ARTEFACT, str(into))
        return Path(path)

    def set_alias(self, registered: Registered, alias: str) -> None:
        """Let an alias point to a version."""
        self._client.set_registered_model_alias(registered.outcome, alias, registered.number)

    def _experiment(self, name: str) -> str:
        existing = self._client.get_experiment_by_name(name)
        if existing is not None:
            return str(existing.experiment_id)
        location = f"{self._artifacts.as_uri()}/mlflow_artifacts" if self._artifacts else None
        return str(self._client.create_experiment(name, artifact_location=location))

    def _log_numbers(self, run_id: str, artefact: Artefact) -> None:
        from mlflow.entities import Metric, Param

        manifest = artefact.manifest
        metrics = [Metric(m.name, m.value, 0, 0) for m in manifest.performance]
        params = [
            Param("outcome", manifest.outcome.name),
            Param("learner", manifest.learner),
            Param("seed", str(manifest.seed)),
            Param(
                "predictors", ", ".join(dict.fromkeys(t.predictor for t in artefact.model.terms))
            ),
            Param("cohort_fingerprint", manifest.cohort.fingerprint or "no cohort"),
            Param("evidence_fingerprint", manifest.evidence.fingerprint),
            Param("local_deviation", manifest.local_deviation),
        ]
        self._client.log_batch(run_id, metrics=metrics, params=params)

    def _register(self, artefact: Artefact, run_id: str, source: str) -> str:
        from mlflow.exceptions import MlflowException

        name = artefact.model.outcome
        try:
            self._client.get_registered_model(name)
        except MlflowException:
            self._client.create_registered_model(name)
        created = self._client.create_model_version(
            name, source=source, run_id=run_id, tags=_tags(artefact)
        )
        self._client.set_registered_model_alias(name, CHALLENGER, created.version)
        return str(created.version)

    def _registered(
        self, found: "ModelVersion", aliases: tuple[str, ...] | None = None
    ) -> Registered:
        tags = found.tags
        return Registered(
            outcome=found.name,
            number=str(found.version),
            version=tags["version"],
            sha256=tags["sha256"],
            aliases=tuple(found.aliases) if aliases is None else aliases,
            real_patients=int(tags["real_patients"]),
            simulated_patients=int(tags["simulated_patients"]),
            local_deviation=tags["local_deviation"],
        )


def _check_writable(database: Path) -> None:
    """Ask SQLite itself: MLflow would try for minutes, and end in a traceback."""
    try:
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
    except sqlite3.Error as error:
        raise RegistryUnavailable(errno.EIO, str(error), str(database)) from None


def _client(uri: str) -> "MlflowClient":
    # MLflow takes seconds to import; commands that do not track should not wait for it.
    from mlflow import MlflowClient

    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return MlflowClient(uri)


def _tags(artefact: Artefact) -> dict[str, str]:
    cohort = artefact.manifest.cohort
    return {
        "version": artefact.version,
        "sha256": artefact.sha256,
        "synthetic": str(cohort.is_simulated).lower(),
        "real_patients": str(cohort.real_patients),
        "simulated_patients": str(cohort.simulated_patients),
        "local_deviation": artefact.manifest.local_deviation,
        "git_commit": _git("rev-parse", "HEAD") or "not in a git checkout",
        "git_dirty": str(bool(_git("status", "--porcelain"))).lower(),
    }


def _git(*arguments: str) -> str:
    """Return what git says of the code that trained, nothing where there is no checkout."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(  # noqa: S603  # fixed arguments
            ["git", "-C", str(here), *arguments],  # noqa: S607  # the user's own git
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
