"""Registered versions of models and their aliases.

The store is SQLite beside the models unless ``MLFLOW_TRACKING_URI`` names a server.
"""

import errno
import json
import logging
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_schemas.refusal import Refused

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from training.run_record import RunRecord

CHAMPION = "champion"
CHALLENGER = "challenger"
ARTEFACT = "artefact"
"""The folder of a run that holds its artefact, byte for byte."""


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
    accepted: str
    """By its verdict "yes" or "no"; "not judged" if it was made before there were verdicts."""


class Registry:
    """Runs and registered models of one tracking store."""

    def __init__(self, home: Path) -> None:
        """Open the store that ``MLFLOW_TRACKING_URI`` names, else SQLite under ``home``."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
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

    def record(self, record: "RunRecord", *, yields: bool = False) -> Registered:
        """Log a run and register its model as challenger.

        Parameters
        ----------
        yields
            Whether a challenger that is there already stays the challenger.
        """
        from training.tracking.run_log import log_run

        experiment_id = self._experiment(record.artefact.manifest.experiment)
        run_id, model_id = log_run(self._client, experiment_id, record)
        number = self._register(record, run_id, model_id)
        outcome = record.artefact.model.outcome
        if not (yields and self._has_challenger(outcome)):
            self._client.set_registered_model_alias(outcome, CHALLENGER, number)
        return self._registered(self._client.get_model_version(outcome, number))

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
        path = self._client.download_artifacts(str(found.run_id), ARTEFACT, str(into))
        return Path(path)

    def set_alias(self, registered: Registered, alias: str) -> None:
        """Let an alias point to a version."""
        self._client.set_registered_model_alias(registered.outcome, alias, registered.number)

    def remove_alias(self, outcome: str, alias: str) -> None:
        """Let an alias point to no version any more; there need be neither alias nor model."""
        if any(model.name == outcome for model in self._client.search_registered_models()):
            self._client.delete_registered_model_alias(outcome, alias)

    def _experiment(self, name: str) -> str:
        existing = self._client.get_experiment_by_name(name)
        if existing is not None:
            return str(existing.experiment_id)
        location = f"{self._artifacts.as_uri()}/mlflow_artifacts" if self._artifacts else None
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return str(self._client.create_experiment(name, artifact_location=location, tags=kind))

    def _register(self, record: "RunRecord", run_id: str, model_id: str) -> str:
        from mlflow.exceptions import MlflowException

        from training.tracking.run_log import version_tags

        outcome = record.artefact.manifest.outcome
        try:
            self._client.get_registered_model(outcome.name)
        except MlflowException:
            said = f"{outcome.label}: {outcome.definition}"
            self._client.create_registered_model(outcome.name, description=said)
        created = self._client.create_model_version(
            outcome.name,
            # Not models:/..., which MLflow looks up in the store of the working directory.
            source=str(self._client.get_logged_model(model_id).artifact_location),
            run_id=run_id,
            tags=version_tags(record),
            description=record.note,
            model_id=model_id,
        )
        listed = json.dumps([{"name": outcome.name, "version": str(created.version)}])
        self._client.set_logged_model_tags(model_id, {"mlflow.modelVersions": listed})
        return str(created.version)

    def _has_challenger(self, outcome: str) -> bool:
        return CHALLENGER in self._client.get_registered_model(outcome).aliases

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
            accepted=tags.get("accepted", "not judged"),
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
