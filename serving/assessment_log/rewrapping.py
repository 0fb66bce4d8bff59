"""From a former site key to the current one: data keys are wrapped anew, no row is touched.

Order: ``cart-risk log-key`` puts a new key first, workers are started again and wrap with it, this
wraps what is older, and the former line may be deleted from the key file.
"""

from typing import NamedTuple

from serving.assessment_log.database import connected, tidied
from serving.assessment_log.log_secret import rewrapped_secret
from serving.assessment_log.opening import LogHome
from serving.assessment_log.rows import DataKeyRow
from serving.assessment_log.sealing import Sealing

_AT_ONCE = 1_000
_FORMER = (
    "SELECT entry, reference, site_key, wrapped FROM data_key "
    "WHERE site_key <> :current ORDER BY entry LIMIT :at_once"
)
_REPLACE = (
    "UPDATE data_key SET site_key = :site_key, wrapped = :wrapped "
    "WHERE entry = :entry AND wrapped = :former"
)


class Rewrapped(NamedTuple):
    """What was done."""

    keys: int
    """So many were wrapped by another site key."""
    still_to_do: str
    """What keeps former wrappings in the files of the database; empty if nothing does."""


def rewrap(home: LogHome) -> Rewrapped:
    """Wrap every data key by the current site key.

    Raises
    ------
    LogRefused
        If the key file holds no key that opens one of them.
    LogDamaged
        If one of them was altered.
    """
    home.prepare()
    moved = 0
    with connected(home.database) as connection:
        connection.begin()
        secret = rewrapped_secret(connection, home.keys)
        connection.commit()
        if secret is None:
            return Rewrapped(0, tidied(home.database))
        sealing = Sealing(home.keys, secret, home.inputs)
        current = home.keys.current.id
        while former := list(connection.rows(_FORMER, current=current, at_once=_AT_ONCE)):
            keys = [DataKeyRow(*row) for row in former]
            new = [sealing.wrapped(k.entry, k.reference, sealing.data_key(k)) for k in keys]
            connection.begin()
            connection.change(
                _REPLACE,
                [n._asdict() | {"former": k.wrapped} for n, k in zip(new, keys, strict=True)],
            )
            connection.commit()
            moved += len(keys)
    return Rewrapped(moved, tidied(home.database))
