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
        If the key file does not hold the key that the log was written with, or the secret is gone.
    """
    secret = stored_secret(connection, keys)
    if secret is not None:
        return secret
    _expect_no_writer(connection)
    secret = os.urandom(KEY_BYTES)
    wrapped = keys.current.wrap(secret, _BOUND_TO)
    connection.insert("log_secret", ("id", "site_key", "wrapped"), [(1, keys.current.id, wrapped)])
    return secret


def stored_secret(connection: Connection, keys: SiteKeys) -> bytes | None:
    """Return the secret if there is one; for errors see :func:`log_secret`."""
    stored = next(connection.rows(_QUERY), None)
    if stored is None:
        return None
    site_key, wrapped = stored
    try:
        return keys.opening(site_key).unwrap(wrapped, _BOUND_TO)
    except LogDamaged:
        raise LogRefused("the secret of the assessment log was altered: restore a copy") from None


def rewrapped_secret(connection: Connection, keys: SiteKeys) -> bytes | None:
    """Return the secret, now wrapped by the current site key; for errors see :func:`log_secret`.

    In a log that nobody wrote to there is none, and none is drawn: it would look like what is left
    of a log that was emptied.
    """
    secret = stored_secret(connection, keys)
    if secret is None:
        _expect_no_writer(connection)
        return None
    new = {"site_key": keys.current.id, "wrapped": keys.current.wrap(secret, _BOUND_TO)}
    connection.change("UPDATE log_secret SET site_key = :site_key, wrapped = :wrapped", [new])
    return secret


def _expect_no_writer(connection: Connection) -> None:
    if next(connection.rows("SELECT 1 FROM writer LIMIT 1"), None) is not None:
        raise LogRefused("the secret of the assessment log was deleted: restore a copy")
