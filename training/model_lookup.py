"""Which model is meant: a folder, the name of an outcome, or a registered version."""

from pathlib import Path

from data_schemas.model_manifest import MANIFEST_FILE
from serving.model.artefact import Artefact, load_artefact
from serving.model.store import load_current
from training.tracking import NotRegistered, Registry


def find_model(wanted: str, store: Path, registry: Registry, into: Path) -> Artefact:
    """Return the model that somebody means.

    Parameters
    ----------
    wanted
        The folder of an artefact; an outcome, for its current model under ``store``; a registered
        version or alias, which ``severe_crs@challenger`` makes plain where several models have it.
    into
        An existing directory, to which a registered model is fetched.

    Raises
    ------
    NotRegistered
        If nothing, or more than one model, is called that.
    ArtefactRefused
        If the model is not what was trained.
    """
    if (Path(wanted) / MANIFEST_FILE).is_file():
        return load_artefact(Path(wanted))
    current = load_current(store)
    if wanted in current:
        return current[wanted]
    outcome, at, version = wanted.partition("@")
    if not at:
        outcome, version = _outcome_of(wanted, registry), wanted
    registered = registry.find(outcome, version)
    return load_artefact(registry.fetch(registered, into), registered.sha256)


def _outcome_of(version: str, registry: Registry) -> str:
    known = registry.versions()
    if any(r.outcome == version for r in known):
        raise NotRegistered(
            f"no version of {version} is in service: say {version}@challenger for the one that was "
            "trained last, or another of those that `cart-risk models` lists"
        )
    found = {
        r.outcome
        for r in known
        if version in r.aliases or (version and r.version.startswith(version))
    }
    if not found:
        message = "is neither an artefact's folder, nor an outcome with a current model, nor a"
        raise NotRegistered(f"{version} {message} registered version")
    if len(found) > 1:
        plain = " or ".join(f"{outcome}@{version}" for outcome in sorted(found))
        raise NotRegistered(f"{version} is the name of more than one model: say {plain}")
    return found.pop()
