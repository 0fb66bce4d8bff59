"""The one kind of error that is meant for a person."""


class Refused(ValueError):
    """Something asked for was refused; the message says why and what would be right.

    The command line prints the message and exits with 1; every other error keeps its traceback.
    """
