"""What is logged of a run: parameters, numbers, files, the model, the parts of its judgement."""

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.model.artefact import Artefact, canonical_json
from training.account import account
from training.tracking.environment import environment, environment_tags
from training.tracking.model_folder import columns_read, write_model_folder
from training.tracking.registry import ARTEFACT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

    from training.judging.repetitions import Number, Repetition
    from training.run_record import LearntFrom, RunRecord

_LONGEST_DIGEST = 36
_LARGEST_BATCH = 1000
"""Of MLflow's own tables and requests."""


def log_run(client: "MlflowClient", experiment_id: str, record: "RunRecord") -> tuple[str, str]:
    """Log a run whole and return its id and that of its model."""
    artefact, ran_in = record.artefact, environment()
    tags = version_tags(record) | environment_tags(ran_in) | _shown(record)
    began_at = int(1000 * (record.began or time.time()))
    name = f"{artefact.model.outcome} {artefact.version}"
    run = client.create_run(experiment_id, began_at, tags, name)
    run_id = str(run.info.run_id)
    try:
        model_id = _log_model(client, experiment_id, run_id, record)
        _log_files(client, run_id, record, ran_in)
        _log_parameters(client, run_id, record)
        _log_numbers(client, run_id, record.numbers, model_id)
        client.log_inputs(run_id, [_dataset(artefact, source) for source in record.learnt_from])
        for repetition in record.repetitions:
            _log_repetition(client, experiment_id, run_id, repetition)
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id)
    return run_id, model_id


def _log_files(
    client: "MlflowClient", run_id: str, record: "RunRecord", ran_in: dict[str, Any]
) -> None:
    client.log_artifacts(run_id, str(record.artefact.folder), ARTEFACT)
    files = {**record.files, "environment.json": canonical_json(ran_in)}
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in files.items():
            path = Path(scratch, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        client.log_artifacts(run_id, scratch)


def version_tags(record: "RunRecord") -> dict[str, str]:
    """Return what a registered version is found by."""
    artefact, cohort = record.artefact, record.artefact.manifest.cohort
    return {
        "version": artefact.version,
        "sha256": artefact.sha256,
        "evaluation_sha256": record.evaluation_sha256,
        "accepted": "yes" if record.accepted else "no",
        "synthetic": str(cohort.is_simulated).lower(),
        "real_patients": str(cohort.real_patients),
        "simulated_patients": str(cohort.simulated_patients),
        "local_deviation": artefact.manifest.local_deviation,
        "experiment": artefact.manifest.experiment,
        "outcome": artefact.model.outcome,
    }


def _shown(record: "RunRecord") -> dict[str, str]:
    """Return the tags that MLflow's own pages read."""
    return {
        "mlflow.note.content": record.note,
        "mlflow.source.name": "cart-risk",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": account(),
    }


def _log_parameters(client: "MlflowClient", run_id: str, record: "RunRecord") -> None:
    from mlflow.entities import Param

    client.log_batch(run_id, params=[Param(*item) for item in record.parameters.items()])


def _log_numbers(
    client: "MlflowClient", run_id: str, numbers: Sequence["Number"], model_id: str | None = None
) -> None:
    from mlflow.entities import Metric

    at = int(1000 * time.time())
    metrics = [Metric(n.name, n.value, at, n.step, model_id) for n in numbers]
    for first in range(0, len(metrics), _LARGEST_BATCH):
        client.log_batch(run_id, metrics[first : first + _LARGEST_BATCH])


def _dataset(artefact: Artefact, source: "LearntFrom") -> "DatasetInput":
    """Describe a cohort by its fingerprint, its counts, and the columns that the model reads."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    columns = [
        {"name": column, "type": kind, "required": False}
        for _, column, kind in columns_read(artefact)
    ]
    described = Dataset(
        name=source.name,
        digest=source.fingerprint[:_LONGEST_DIGEST],
        source_type="fingerprint",
        source=json.dumps({"sha256": source.fingerprint}),
        schema=json.dumps({"mlflow_colspec": columns}) if source.of_patients else None,
        profile=json.dumps(source.profile),
    )
    return DatasetInput(described, [InputTag("mlflow.data.context", "training")])


def _log_model(client: "MlflowClient", experiment_id: str, run_id: str, record: "RunRecord") -> str:
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    artefact = record.artefact
    logged = client.create_logged_model(
        experiment_id,
        name=artefact.model.outcome,
        source_run_id=run_id,
        tags=version_tags(record),
        params={"learner": artefact.manifest.learner, "seed": str(artefact.manifest.seed)},
        model_type="cart-risk",
    )
    described = Model(run_id=run_id, model_id=logged.model_id)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "model")
        write_model_folder(artefact, described, folder, Path(scratch, "store"))
        client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])
    return str(logged.model_id)


def _log_repetition(
    client: "MlflowClient", experiment_id: str, parent: str, repetition: "Repetition"
) -> None:
    tags = {"mlflow.parentRunId": parent, "kind": repetition.kind, "mlflow.source.type": "LOCAL"}
    run = client.create_run(experiment_id, tags=tags, run_name=repetition.name)
    _log_numbers(client, run.info.run_id, repetition.numbers)
    client.set_terminated(run.info.run_id)
