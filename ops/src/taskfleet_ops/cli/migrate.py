"""`taskfleet migrate`: bring a database to this release's schema, see how it stands, take it back."""

from typing import Annotated

import typer

from taskfleet_ops.cli.options import DatabaseUrl, Format, Output, Schema
from taskfleet_ops.cli.progress import under_way

group = typer.Typer(help="Bring a database to this release's schema, and back.", no_args_is_help=False)

To = Annotated[int | None, typer.Option("--to", min=0, help="Up to and including this version; all by default.")]


def add_to(app: typer.Typer) -> None:
    """Hang these commands into the tree."""
    app.add_typer(group, name="migrate")


@group.command()
def up(to: To = None, database_url: DatabaseUrl = None, schema: Schema = "taskfleet") -> None:
    """Apply what is missing. Safe to run again, and from many places at once."""
    from taskfleet_ops.services import migrations
    from taskfleet_ops.services.access import Address

    with under_way("applying migrations"):
        done = migrations.up(Address.direct(url=database_url, schema=schema), to=to)
    for migration in done:
        typer.echo(f"applied {migration.title}")
    if not done:
        typer.echo("nothing to apply: the schema is up to date")


@group.command()
def down(
    to: Annotated[int, typer.Option("--to", min=0, help="Version to go back to; 0 removes the schema and every task in it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    accept_loss: Annotated[bool, typer.Option("--accept-loss", help="Also where an older schema has no place for what is there.")] = False,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Take back everything above a version, newest first. Refused, with what there is of it, where something would be lost."""
    from taskfleet_ops.services import migrations
    from taskfleet_ops.services.access import Address

    if not yes:
        typer.confirm(f"Take schema {schema} back to version {to}?", abort=True, err=True)
    with under_way("taking migrations back"):
        done = migrations.down(Address.direct(url=database_url, schema=schema), to=to, accept_loss=accept_loss)
    for migration in done:
        typer.echo(f"took back {migration.title}")
    if not done:
        typer.echo(f"nothing to take back: the schema is not above version {to}")


@group.command()
def status(output: Output = Format.TABLE, database_url: DatabaseUrl = None, schema: Schema = "taskfleet") -> None:
    """Show every migration that the database or this release knows."""
    from taskfleet_ops.cli.listings import MIGRATIONS
    from taskfleet_ops.services import migrations
    from taskfleet_ops.services.access import Address

    MIGRATIONS.write(migrations.status(Address.direct(url=database_url, schema=schema)), output=output)


@group.command()
def sql(
    after: Annotated[int, typer.Option("--after", min=0, help="The version that the database is at.")] = 0,
    to: To = None,
    schema: Schema = "taskfleet",
) -> None:
    """Print what `up` would run, as one script for psql; needs no database."""
    from taskfleet_ops.services import migrations

    typer.echo(migrations.sql(schema, after=after, to=to), nl=False)


@group.command()
def roles(
    producer: Annotated[str, typer.Option("--producer", help="Name of the producers' role.")] = "taskfleet_producer",
    worker: Annotated[str, typer.Option("--worker", help="Name of the workers' role.")] = "taskfleet_worker",
    operator: Annotated[str, typer.Option("--operator", help="Name of the operators' role.")] = "taskfleet_operator",
    ops: Annotated[str, typer.Option("--ops", help="Name of the role for people and the ops service.")] = "taskfleet_ops",
    script: Annotated[bool, typer.Option("--sql", help="Print the script for psql instead; needs no database.")] = False,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Make the database roles where they are missing, and give them exactly the rights they need. Run it again after `up`."""
    from taskfleet.migrations import RoleNames
    from taskfleet_ops.services import migrations
    from taskfleet_ops.services.access import Address

    names = RoleNames(producer=producer, worker=worker, operator=operator, ops=ops)
    if script:
        typer.echo(migrations.roles_script(schema, names), nl=False)
        return
    migrations.roles(Address.direct(url=database_url, schema=schema), names)
    typer.echo(f"granted: {producer}, {worker}, {operator}, {ops}")
