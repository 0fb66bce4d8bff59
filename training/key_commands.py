"""``cart-risk keys``: who may ask the service."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.table import Table

from serving.api_keys import KeyFile, Scope
from serving.settings import Settings
from training.plain_refusals import said_plainly
from training.screen import screen

DEVELOPMENT = "development"
"""The label of the key that ``prepare`` prints; the one before it is forgotten."""

keys_app = typer.Typer(help="API keys: add, list, revoke.", no_args_is_help=True)

FileOption = Annotated[
    Path | None, typer.Option("--file", help="The key file; by default that of the service.")
]


@keys_app.command("add")
def add_command(
    label: Annotated[str, typer.Argument(help="Who will have the key: a system, not a patient.")],
    scope: Annotated[list[Scope], typer.Option(help="May be given several times.")],
    days: Annotated[float | None, typer.Option(help="Without: it never expires.")] = None,
    file: FileOption = None,
) -> None:
    """Make a key and print it, once."""
    with said_plainly():
        print(_file(file).add(label, scope, days))


@keys_app.command("list")
def list_command(file: FileOption = None) -> None:
    """List the keys by id; the keys themselves are not known."""
    table = Table("id", "label", "scopes", "created", "expires")
    with said_plainly():
        for key in _file(file).listed():
            expires = f"{key.expires:%Y-%m-%d %H:%M}" if key.expires else "never"
            created = f"{key.created:%Y-%m-%d %H:%M}"
            table.add_row(key.id, key.label, ", ".join(key.scopes), created, expires)
    screen().print(table)


@keys_app.command("revoke")
def revoke_command(
    key_id: Annotated[str, typer.Argument(help="As `cart-risk keys list` shows it.")],
    file: FileOption = None,
) -> None:
    """Forget a key; a running service refuses it within seconds."""
    with said_plainly():
        print(f"revoked: {_file(file).revoke(key_id).label}")


class DevelopmentKey(NamedTuple):
    """A key of one day with every scope."""

    key: str
    ends_another: bool
    """Whether the one before would still have opened something."""


def development_key() -> DevelopmentKey:
    """Return a new one, and forget the one before."""
    file, now = _file(None), datetime.now(UTC)
    former = [key for key in file.listed() if key.label == DEVELOPMENT]
    for key in former:
        file.revoke(key.id)
    ends_another = any(key.is_valid(now) for key in former)
    return DevelopmentKey(file.add(DEVELOPMENT, Scope, days=1), ends_another)


def _file(named: Path | None) -> KeyFile:
    return KeyFile(named) if named else KeyFile.beside(Settings.from_environment().store)
