"""The only place that speaks MLflow: runs, registered versions and their aliases.

In order: ``registry`` (versions and aliases), ``run_log`` (what is logged of a run),
``environment`` (what it ran in), ``model_folder`` (the model as MLflow keeps it), ``loaded_model``
(the model as MLflow loads it).
Nothing here is asked while a patient waits.
"""

from training.tracking.registry import (
    CHALLENGER,
    CHAMPION,
    NotRegistered,
    Registered,
    Registry,
    RegistryUnavailable,
)

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "NotRegistered",
    "Registered",
    "Registry",
    "RegistryUnavailable",
]
