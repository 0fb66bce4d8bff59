"""What the log says when it cannot, may not or will not.

No message repeats a patient's value, a reference, a key or the database's address.
"""

import errno

from data_schemas.refusal import Refused


class LogRefused(Refused):
    """The log is not set up as it must be; the message names the setting and the remedy."""


class LogUnavailable(Exception):
    """A row is not on disk, so its answer must not be sent; asking again later may succeed.

    Attributes
    ----------
    retry_after
        Seconds after which asking again makes sense.
    """

    retry_after = 1


class UnknownAssessment(Refused):
    """No assessment has this id."""

    def __init__(self) -> None:
        super().__init__("no assessment has this id")


class ErasedAssessment(Refused):
    """The assessment was made; what it said was erased, by request or by age."""

    def __init__(self) -> None:
        super().__init__("the content of this assessment was erased")


class LogDamaged(Exception):
    """A stored row is not what was written: ``cart-risk verify-log`` says what else is not."""

    def __init__(self) -> None:
        super().__init__("a row of the assessment log was altered: run `cart-risk verify-log`")


def kind_of(error: Exception) -> str:
    """Name an error as an operator can look it up: by its class and the system's word for it.

    Of a server, whose driver SQLAlchemy stands in front of, that is the driver's class, which is
    named after the condition (SQLSTATE).
    """
    word = getattr(error, "sqlite_errorname", None)
    driver = getattr(error, "orig", None)
    if driver is not None and type(driver).__name__ != type(error).__name__:
        word = type(driver).__name__
    if isinstance(error, OSError) and error.errno is not None:
        word = errno.errorcode.get(error.errno)
    return type(error).__name__ + (f", {word}" if word else "")
