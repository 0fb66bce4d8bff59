"""The way out of service: no version of an outcome answers until somebody lets one do so."""

from pathlib import Path

from data_schemas.refusal import Refused
from serving.model.store import withdraw_current
from training.promoting.ledger import WITHDRAW, Ledger, Promotion
from training.tracking import CHAMPION, Registry


class WithdrawalRefused(Refused):
    """Nothing that could be withdrawn, or no name or reason for it."""


def withdraw(
    registry: Registry, store: Path, outcome: str, *, reason: str, signed_by: str
) -> Promotion:
    """Take an outcome out of service: stop the answers, record it, take the alias away.

    Neither a model that is spoilt nor one that the registry lost stands in the way. A withdrawal
    that was cut off is completed by the next one.

    Parameters
    ----------
    signed_by
        The name of who answers for it.

    Raises
    ------
    WithdrawalRefused
        If no version answers, or a name or a reason is missing. Nothing has changed then but an
        alias that was left behind.
    """
    if not (reason.strip() and signed_by.strip()):
        raise WithdrawalRefused("a withdrawal needs a reason and a name (--reason TEXT --who NAME)")
    ledger = Ledger(store)
    with ledger.alone():
        last = ledger.last(outcome)
        if last is None:
            raise WithdrawalRefused(f"no version of {outcome} was ever promoted")
        if last.act == WITHDRAW:
            registry.remove_alias(outcome, CHAMPION)
            raise WithdrawalRefused(f"{_in_words(last)}; nothing was changed")
        withdraw_current(store, outcome)
        done = ledger.append(WITHDRAW, last, reason, signed_by=signed_by)
        registry.remove_alias(outcome, CHAMPION)
    return done


def _in_words(line: Promotion) -> str:
    who, when = line.signed_by or line.who, line.when
    return f"{line.outcome} {line.version} was withdrawn by {who} at {when} ({line.reason})"
