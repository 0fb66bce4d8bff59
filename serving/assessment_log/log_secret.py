"""The secret of one log: drawn once, kept wrapped by the site key in the log itself.

Hashes of references and seals of heads are made with it, so that they outlive a site key.
"""

import os

from serving.assessment_log.database import Connection
from serving.assessment_log.refusals import LogDamaged, LogRefused
from serving.assessment_log.site_key import KEY_BYTES, SiteKeys

_BOUND_TO = b"log secret"
_QUERY = "SELECT site_key, wrapped FROM log_secret"


def log_secret(connection: Connection, keys: SiteKeys) -> bytes:
    """Return the secret; in a log that is new, draw it. Runs within a transaction.

    Raises
    ------
    LogRefused
        If the key file does not hold the key that the log was written with.
    """
    stored = next(connection.rows(_QUERY), None)
    if stored is None:
        secret = os.urandom(KEY_BYTES)
        wrapped = keys.current.wrap(secret, _BOUND_TO)
        columns = ("id", "site_key", "wrapped")
        connection.insert("log_secret", columns, [(1, keys.current.id, wrapped)])
        return secret
    site_key, wrapped = map(bytes, stored)
    try:
        return keys.opening(site_key).unwrap(wrapped, _BOUND_TO)
    except LogDamaged:
        raise LogRefused("the secret of the assessment log was altered: restore a copy") from None


def rewrap_secret(connection: Connection, keys: SiteKeys) -> None:
    """Wrap the secret by the current site key, within a transaction."""
    wrapped = keys.current.wrap(log_secret(connection, keys), _BOUND_TO)
    statement = "UPDATE log_secret SET site_key = :site_key, wrapped = :wrapped"
    connection.change(statement, [{"site_key": keys.current.id, "wrapped": wrapped}])
