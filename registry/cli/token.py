"""`registry token`: secrets for programs, in an account's name."""

from __future__ import annotations

import click

from registry.cli import show
from registry.cli.api import connect, segment
from registry.cli.questions import confirm


@click.group()
def token() -> None:
    """Secrets for programs, in an account's name.

    twine and pip take one as the password of user __token__, npm as _authToken.
    """


@token.command(epilog="Example: registry token create ci --note 'build server' --days 90")
@click.argument("account")
@click.option("--note", default="", help="What it is for.")
@click.option(
    "--scope",
    type=click.Choice(["read", "publish", "admin"]),
    default="publish",
    show_default=True,
    help="What it may do at most.",
)
@click.option("--days", type=int, help="How long it lives; for ever without it.")
@show.json_option
def create(account: str, note: str, scope: str, days: int | None, *, as_json: bool) -> None:
    """Make a token for an account. It is shown this once, alone on standard output."""
    made = connect().post("/tokens", account=account, note=note, scope=scope, days=days)
    if as_json:
        show.as_json_text(made)
        return
    click.echo(f"Token {made['token']['id']} of {account}; keep it, it can't be shown again:", err=True)
    click.echo(made["text"])


@token.command("list", epilog="Example: registry token list --account ci")
@click.option("--account", help="Only of this one.")
@show.json_option
def list_(account: str | None, *, as_json: bool) -> None:
    """List tokens, newest first, without their secrets."""
    tokens = list(connect().every("/tokens", account=account))
    if as_json:
        show.as_json_text(tokens)
        return
    show.table(
        ("id", "account", "scope", "created", "expires", "revoked", "note"),
        [
            (
                t["id"],
                t["account"],
                t["scope"],
                *(show.local(t[key]) for key in ("created", "expires", "revoked")),
                t["note"],
            )
            for t in tokens
        ],
    )


@token.command(epilog="Example: registry token revoke 0f3a5c7e9b1d --yes")
@click.argument("token_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Don't ask.")
@show.json_option
def revoke(token_id: str, *, yes: bool, as_json: bool) -> None:
    """End a token, by the id that `registry token list` shows. It counts at once."""
    confirm(f"Revoke token {token_id}?", yes=yes)
    revoked = connect().delete(f"/tokens/{segment(token_id)}")
    if as_json:
        show.as_json_text(revoked)
    else:
        click.echo(f"Token {token_id} of {revoked['account']} is revoked.")
