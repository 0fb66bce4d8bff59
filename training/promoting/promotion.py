"""Which model answers: accepted by its verdict, moved by name, recorded, moved back as easily."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from data_schemas.refusal import Refused
from serving.model.artefact import Artefact, ArtefactRefused, load_artefact
from serving.model.store import current_artefact, make_current
from training.judging.ruling import ruling_of
from training.promoting.champion import beside_champion
from training.promoting.ledger import Ledger, Promotion
from training.tracking import CHALLENGER, CHAMPION, NotRegistered, Registered, Registry

_HOW_TO_OVERRIDE = (
    "to let it answer all the same, give --override --who NAME --reason TEXT; the ledger keeps both"
)


class PromotionRefused(Refused):
    """A version that does not keep its limits, or is worse than the one in service."""


class AnswersAlready(Refused):
    """A version that answers already: another reason or name for it cannot be kept."""


@dataclass(frozen=True)
class Beside:
    """What a challenger is compared with the champion on."""

    evaluations: Path
    """Where the scored cohort of each version lies, by its name."""
    cohort: Path | None = None
    """Patients to compare the two on; None for those by whom both were judged."""


def promote(
    registry: Registry,
    store: Path,
    outcome: str,
    *,
    reason: str,
    beside: Beside,
    version: str = CHALLENGER,
    signed_by: str | None = None,
    override: bool = False,
) -> Promotion | None:
    """Let a registered version answer: verify it, install it, record it, move the alias.

    A promotion that was cut off is completed by the next one of the same version. Of a version that
    answers already nothing changes, neither the ledger nor what was overridden for it: None is
    returned if it was asked for once more as before, or was spoilt and is whole again.

    Parameters
    ----------
    signed_by
        The name of who answers for it; needed to override.
    override
        Let it answer although its limits, or the version in service, speak against it.

    Raises
    ------
    NotRegistered
        If there is no such version.
    ArtefactRefused
        If its bytes are not those that were trained.
    PromotionRefused
        If a limit is not kept and nobody overrides it, or somebody overrides without a name or a
        reason. Nothing has changed after any of these.
    AnswersAlready
        If it answers already, by another reason or name than are given now.
    """
    _signed(reason, signed_by, override)
    registered = registry.find(outcome, version)
    ledger = Ledger(store)
    with ledger.alone(), tempfile.TemporaryDirectory() as fetched:
        ledger.lines()  # a broken ledger stops here, before anything changes
        challenger = _fetched(registry, registered, Path(fetched))
        named = ledger.current(outcome)
        pointed_at = _in_service(registry, store, outcome, named, Path(fetched) / "in_service")
        if pointed_at and pointed_at.version == named == challenger.version:
            overridden = ledger.was_overridden(outcome, named)
            _complete(registry, store, registered, challenger, overridden=overridden)
            if pointed_at.folder == store / outcome / named:  # else it was spoilt, and is no more
                _expect_once_more(ledger.last(outcome), reason, signed_by)
            return None
        champion = _champion(store, outcome, pointed_at, named, challenger)
        compared, against = _against(champion, challenger, beside)
        if against and not override:
            raise PromotionRefused(_refusal(registered, against))
        make_current(store, challenger, overridden=bool(against))
        promotion = ledger.append(
            "promote",
            registered,
            reason,
            signed_by=signed_by,
            overridden=against,
            compared=compared,
        )
        registry.set_alias(registered, CHAMPION)
    return promotion


def rollback(registry: Registry, store: Path, outcome: str, *, reason: str) -> Promotion:
    """Let the version before the present one answer again, or the one that was withdrawn.

    No limit stands in the way.

    Raises
    ------
    NotRegistered
        If no version answered just before the present one.
    """
    ledger = Ledger(store)
    with ledger.alone(), tempfile.TemporaryDirectory() as fetched:
        registered = registry.find(outcome, _version_before(ledger, outcome))
        former = _fetched(registry, registered, Path(fetched))
        make_current(store, former, overridden=ledger.was_overridden(outcome, registered.version))
        promotion = ledger.append("rollback", registered, reason)
        registry.set_alias(registered, CHAMPION)
    return promotion


def _fetched(registry: Registry, registered: Registered, into: Path) -> Artefact:
    """Return a registered version, verified."""
    return load_artefact(registry.fetch(registered, into), registered.sha256)


def _version_before(ledger: Ledger, outcome: str) -> str:
    *before, answers = ledger.answered(outcome) or [None]
    if before and before[-1] is not None:
        return before[-1]
    said = f"no version of {outcome} answered before the present one"
    how = f": `cart-risk withdraw {outcome}` takes {answers} out of service" if answers else ""
    raise NotRegistered(said + how)


def _in_service(
    registry: Registry, store: Path, outcome: str, named: str | None, into: Path
) -> Artefact | None:
    """Return the model that answers; if the store has spoilt or lost it, as it was registered.

    A withdrawal that was cut off before it stood in the ledger is none yet. Of other outcomes
    nothing is read: what is spoilt there stands in nobody's way here.
    """
    try:
        found = current_artefact(store, outcome)
    except ArtefactRefused:
        if named is None:
            raise
        found = None
    if found is not None or named is None:
        return found
    into.mkdir()
    return _fetched(registry, registry.find(outcome, named), into)


def _complete(
    registry: Registry, store: Path, registered: Registered, artefact: Artefact, *, overridden: bool
) -> None:
    """Put right what was spoilt, or left undone by a promotion cut off, of what answers already."""
    make_current(store, artefact, overridden=overridden)
    registry.set_alias(registered, CHAMPION)


def _expect_once_more(line: Promotion | None, reason: str, signed_by: str | None) -> None:
    """Refuse a reason and a name that the ledger would not keep: they are not of its last line."""
    assert line is not None  # the ledger names the version that answers
    if (reason, signed_by) != (line.reason, line.signed_by):
        raise AnswersAlready(
            f"{line.outcome} {line.version} answers already, since {line.when} ({line.reason}): "
            "nothing was changed, and no line written to the ledger. `cart-risk models` lists what "
            "was trained; --version names another version"
        )


def _champion(
    store: Path, outcome: str, pointed_at: Artefact | None, named: str | None, challenger: Artefact
) -> Artefact | None:
    """Return what the challenger is to replace.

    Where a promotion of this very version was cut off before it stood in the ledger, that is the
    version which the ledger names: what spoke against the promotion still does.
    """
    cut_off = pointed_at is not None and pointed_at.version == challenger.version
    return load_artefact(store / outcome / named) if cut_off and named else pointed_at


def _signed(reason: str, signed_by: str | None, override: bool) -> None:
    if not reason.strip():
        raise PromotionRefused("a promotion needs a reason (--reason TEXT)")
    if override and not (signed_by or "").strip():
        raise PromotionRefused("to override, give the name of who answers for it (--who NAME)")


def _broken_limits(challenger: Artefact) -> tuple[str, ...]:
    """Return, in words, each limit that a version does not keep."""
    ruling = ruling_of(challenger)
    if ruling is None:
        return ("It was never held against any limit: train it again.",)
    if ruling.verdict.accepted is None:
        return (ruling.verdict.in_words,)
    return tuple(limit.in_words for limit in ruling.verdict.limits if not limit.met)


def _against(
    champion: Artefact | None, challenger: Artefact, beside: Beside
) -> tuple[str, tuple[str, ...]]:
    """Return how a challenger does beside the version in service, and all that refuses it."""
    compared, worse = _compared(champion, challenger, beside)
    return compared, (*_broken_limits(challenger), *([compared] if worse else []))


def _compared(champion: Artefact | None, challenger: Artefact, beside: Beside) -> tuple[str, bool]:
    """Return how a challenger does beside the version in service, and whether that refuses it."""
    if champion is None or champion.version == challenger.version:
        return "", False
    limit = beside_champion(champion, challenger, beside.evaluations, beside.cohort)
    return limit.in_words, not limit.met


def _refusal(registered: Registered, against: tuple[str, ...]) -> str:
    reasons = "\n".join(f"  - {said}" for said in against)
    return (
        f"{registered.outcome} {registered.version} may not answer:\n{reasons}\n{_HOW_TO_OVERRIDE}"
    )
