"""`registry user`: who can log in with a password."""

from __future__ import annotations

import click

from registry.cli import show
from registry.cli.api import connect, segment
from registry.cli.questions import confirm, new_password

_from_stdin = click.option(
    "--password-stdin", "from_stdin", is_flag=True, help="Read the password from standard input."
)


@click.group()
def user() -> None:
    """Who can log in with a password."""


@user.command(epilog="Example: registry user add ada --admin")
@click.argument("name")
@click.option("--admin", is_flag=True, help="May change policy, users and tokens, and read the log.")
@_from_stdin
@show.json_option
def add(name: str, *, admin: bool, from_stdin: bool, as_json: bool) -> None:
    """Make an account; the password is asked for."""
    made = connect().post("/users", name=name, password=new_password(from_stdin=from_stdin), admin=admin)
    if as_json:
        show.as_json_text(made)
    else:
        click.echo(f"User {name} is made{' as an admin' if admin else ''}.")


@user.command("list", epilog="Example: registry user list")
@show.json_option
def list_(*, as_json: bool) -> None:
    """List all accounts."""
    users = list(connect().every("/users"))
    if as_json:
        show.as_json_text(users)
    else:
        show.table(
            ("name", "admin", "created"), [(u["name"], u["admin"], show.local(u["created"])) for u in users]
        )


@user.command(epilog="Example: registry user remove ada --yes")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
@show.json_option
def remove(name: str, *, yes: bool, as_json: bool) -> None:
    """Remove an account and revoke its tokens. What it published stays."""
    confirm(f"Remove user {name} and revoke all tokens of that account?", yes=yes)
    removed = connect().delete(f"/users/{segment(name)}")
    if as_json:
        show.as_json_text(removed)
    else:
        click.echo(f"User {name} is removed.")


@user.command(epilog="Example: registry user passwd ada --password-stdin < new-password")
@click.argument("name")
@_from_stdin
@show.json_option
def passwd(name: str, *, from_stdin: bool, as_json: bool) -> None:
    """Give an account another password."""
    changed = connect().put(f"/users/{segment(name)}/password", password=new_password(from_stdin=from_stdin))
    if as_json:
        show.as_json_text(changed)
    else:
        click.echo(f"User {name} has another password.")
