"""The assessment log on the command line: keys, verification, erasure."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from data_schemas.refusal import Refused
from serving.assessment_log.database import connected, database_at
from serving.assessment_log.erasure import Erased, erase_assessment, erase_older, erase_reference
from serving.assessment_log.heads import exported_heads, read_heads
from serving.assessment_log.opening import DEVELOPMENT_URL, LogHome, key_file
from serving.assessment_log.reading import was_sent
from serving.assessment_log.refusals import LogDamaged, LogRefused, kind_of
from serving.assessment_log.rewrapping import rewrap
from serving.assessment_log.schema import version
from serving.assessment_log.site_key import SiteKeys, write_new_key
from serving.assessment_log.verify import UNREADABLE, verify
from serving.settings import LogSettings
from serving.whole_file import whole_file

_SHOWN = 50
_UNREADABLE = 3
_LONGEST_DAYS = 36_500

log_app = typer.Typer(
    help="The assessment log.", no_args_is_help=True, pretty_exceptions_enable=False
)


@contextmanager
def _said_plainly(status: int = 1) -> Iterator[None]:
    """Turn a refusal into its message and exit status; everything else keeps its traceback."""
    try:
        yield
    except (Refused, LogDamaged) as refusal:
        typer.echo(f"{type(refusal).__name__}: {refusal}", err=True)
        raise typer.Exit(status) from None


@contextmanager
def log_home() -> Iterator[LogHome]:
    """Open the log that the service uses, and refuse by name what its database cannot do."""
    with _said_plainly():
        home = LogHome(LogSettings.from_environment())
        with _available(home.database.errors):
            if version(home.database) is None:
                raise LogRefused(
                    "there is no assessment log at this address, and none is made by a command: "
                    "look at CART_RISK_LOG_URL, and at the directory if it names a relative file"
                )
            yield home


@contextmanager
def _available(errors: tuple[type[Exception], ...], status: int = 1) -> Iterator[None]:
    try:
        yield
    except errors as error:
        message = f"the database of the assessment log is not available ({kind_of(error)})"
        typer.echo(message, err=True)
        raise typer.Exit(status) from None


@log_app.command("verify-log")
def verify_log(
    heads: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Heads exported before with `cart-risk log-heads`."
        ),
    ] = None,
    without_key: Annotated[
        bool, typer.Option(help="For an auditor without the site key: seals are not looked at.")
    ] = False,
) -> None:
    """Find every row of the log that was altered, removed or moved; exit with 1 if there is one.

    Exits with 3 where the log could not be read, which says nothing of its rows.
    """
    settings = LogSettings.from_environment()
    with _said_plainly(_UNREADABLE):
        database = database_at(settings.url or DEVELOPMENT_URL)
        keys = None if without_key else SiteKeys.read(key_file(settings))
        marks = [] if heads is None else read_heads(heads.read_bytes())
        with _available(database.errors, _UNREADABLE):
            verification = verify(database, keys, marks)
    for finding in verification.findings[:_SHOWN]:
        typer.echo(f"{finding.kind}: {finding.where}: {finding.message}")
    found = len(verification.findings)
    if found > _SHOWN:
        typer.echo(f"and {found - _SHOWN} more")
    how = "" if verification.with_site_key else " (seals not looked at: no site key)"
    typer.echo(
        f"{verification.rows} rows of {verification.writers} writers: "
        f"{f'{found} finding(s)' if found else 'as they were written'}{how}"
    )
    if found and all(finding.kind == UNREADABLE for finding in verification.findings):
        raise typer.Exit(_UNREADABLE)
    raise typer.Exit(1 if found else 0)


@log_app.command("log-heads")
def log_heads(
    out: Annotated[Path, typer.Option(help="To be kept where the log's writers cannot write.")],
) -> None:
    """Export how far every chain came: against it, even a log replaced whole is found out."""
    with log_home() as home, connected(home.database) as connection:
        heads = exported_heads(connection)
        connection.flush()  # no power failure may take from the log what they name
    try:
        with whole_file(out) as file:
            file.write(heads)
    except OSError as error:
        typer.echo(f"the file named in --out could not be written ({kind_of(error)})", err=True)
        raise typer.Exit(1) from None


@log_app.command("log-key")
def log_key(
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Do nothing where there is one.")
    ] = False,
) -> None:
    """Make a site key; where there is one, the new one becomes the current, the other still opens.

    Without CART_RISK_LOG_KEY_FILE it is the development key, beside the log.
    """
    with _said_plainly():
        path = key_file(LogSettings.from_environment())
    if if_missing and path.exists():
        return
    with _said_plainly():
        write_new_key(path)
    typer.echo("a new site key is in the key file: keep a copy, without it the log is unreadable")


@log_app.command("log-input")
def log_input(
    assessment: Annotated[UUID, typer.Argument(help="Its id, as it stood in the answer.")],
    request: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="The body of a request, as sent.")
    ],
) -> None:
    """Tell whether a file holds the very bytes that were sent; exit with 1 if it does not.

    Also where the log keeps hashes of requests only.
    """
    with log_home() as home, _said_plainly(), home.reading() as (connection, sealing):
        is_it = was_sent(connection, sealing, assessment, request.read_bytes())
    typer.echo(f"{'these' if is_it else 'other'} bytes were sent for this assessment")
    raise typer.Exit(0 if is_it else 1)


@log_app.command("log-rewrap")
def log_rewrap() -> None:
    """Wrap every row's key by the current site key, so that former ones may be forgotten.

    Run it after all workers were started with the new key file.
    """
    with log_home() as home:
        done = rewrap(home)
    typer.echo(f"{done.keys} keys were wrapped by the current site key")
    if done.still_to_do:
        typer.echo(done.still_to_do)


@log_app.command("log-erase")
def log_erase(
    assessment: Annotated[
        UUID | None, typer.Option(help="One assessment and its outcomes, by its id.")
    ] = None,
) -> None:
    """Erase one patient: by an assessment's id, or by the reference that is asked for.

    A reference is never given as an argument, where a shell would keep it.
    """
    with log_home() as home:
        if assessment is not None:
            erased = erase_assessment(home, assessment, _say_exported)
        else:
            reference = typer.prompt("reference", hide_input=sys.stdin.isatty(), err=True)
            erased = erase_reference(home, reference, _say_exported)
    _say(erased)
    if erased.rows == 0:
        typer.echo(
            "nothing readable has this id or reference: mistyped, or erased before, and then only "
            "its id, not its reference, still tells which files `log-cohort` made of it",
            err=True,
        )
        raise typer.Exit(1)


@log_app.command("log-retention")
def log_retention(
    older_than_days: Annotated[
        int, typer.Option(min=1, max=_LONGEST_DAYS, help="What a site does not keep.")
    ],
) -> None:
    """Erase everything that is older; rows stay, what they say can no longer be read."""
    with log_home() as home:
        before = datetime.now(UTC) - timedelta(days=older_than_days)
        erased = erase_older(home, before, _say_exported)
    _say(erased)


def _say(erased: Erased) -> None:
    typer.echo(f"{erased.rows} rows can no longer be read")
    if erased.left_behind:
        typer.echo(
            f"{erased.left_behind} outcomes of assessments that were erased before went with them"
        )
    if erased.still_to_do:
        typer.echo(erased.still_to_do)


def _say_exported(when: datetime) -> None:
    typer.echo(
        f"`log-cohort` exported some of it on {when:%Y-%m-%d at %H:%M} UTC: delete that file, "
        "or make it anew"
    )


if __name__ == "__main__":
    log_app()
