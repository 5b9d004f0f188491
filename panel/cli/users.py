"""user, token: who may sign in, and the keys of programs."""

import sys
from datetime import timedelta

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from panel import audit
from panel.cli.house import ACTOR, House, Refusal, say
from panel.cli.status import moment
from panel.clock import utcnow
from panel.db import writing
from panel.models import ApiToken, User
from panel.models.access import ROLES

role_option = click.Choice(ROLES)


@click.group()
def user() -> None:
    """People: viewers look, operators sync, administrators set up."""


@user.command("add")
@click.argument("username")
@click.option("--role", type=role_option, default="viewer", show_default=True)
@click.option("--name", "full_name", help="The name that pages show.")
@click.option("--random", "made", is_flag=True, help="Make a random password and print it.")
@click.pass_obj
def add(house: House, username: str, role: str, full_name: str | None, made: bool) -> None:
    """Add a person. The password is asked for, or read from stdin."""
    from panel.auth.passwords import hash_password
    from panel.config import USERNAME

    if not USERNAME.fullmatch(username):
        raise Refusal("a user name may hold letters, digits and . @ + - _, at most 150 of them")
    sessions = house.sessions
    password = _new_password(username, made)
    with writing(sessions) as session:
        if session.scalar(select(User.id).where(func.lower(User.username) == username.lower())) is not None:
            raise Refusal(f"there is a user {username} already")
        session.add(
            User(
                username=username,
                full_name=full_name,
                password_hash=hash_password(password),
                role=role,
                active=True,
                created_at=utcnow(),
            )
        )
        audit.record(session, ACTOR, "user_added", username, role=role)
    click.echo(f"{username} was added as {role}." + (f" Password: {password}" if made else ""))


@user.command("password")
@click.argument("username")
@click.option("--random", "made", is_flag=True, help="Make a random password and print it.")
@click.pass_obj
def password_(house: House, username: str, made: bool) -> None:
    """Give a person a new password; open sessions end, and a disabled account stays disabled."""
    from panel.auth.passwords import hash_password

    with house.sessions() as session:
        _user(session, username)
    password = _new_password(username, made)
    with writing(house.sessions) as session:
        found = _user(session, username)
        found.password_hash = hash_password(password)
        found.session_version += 1
        audit.record(session, ACTOR, "password_changed", username)
    click.echo(f"{username} has a new password." + (f" Password: {password}" if made else ""))


@user.command("role")
@click.argument("username")
@click.argument("role", type=role_option)
@click.pass_obj
def role_(house: House, username: str, role: str) -> None:
    """Give a person another role."""
    with writing(house.sessions) as session:
        found = _user(session, username)
        if role != "admin":
            _keep_an_administrator(session, found)
        found.role = role
        audit.record(session, ACTOR, "role_changed", username, role=role)
    click.echo(f"{username} is {role} now.")


@user.command("disable")
@click.argument("username")
@click.option("--undo", is_flag=True, help="Let them in again.")
@click.pass_obj
def disable(house: House, username: str, undo: bool) -> None:
    """Shut a person out at once; their tokens do not work either."""
    with writing(house.sessions) as session:
        found = _user(session, username)
        if not undo:
            _keep_an_administrator(session, found)
        found.active = undo
        found.session_version += 1
        audit.record(session, ACTOR, "user_enabled" if undo else "user_disabled", username)
    click.echo(f"{username} may sign in again." if undo else f"{username} is shut out.")


@user.command("list")
@click.pass_obj
def list_(house: House) -> None:
    """List them."""
    table = Table("user", "name", "role", "active", "last seen", box=None)
    with house.sessions() as session:
        for found in session.scalars(select(User).order_by(User.username)):
            active = "yes" if found.active else "no"
            table.add_row(
                found.username, found.full_name or "", found.role, active, moment(found.last_seen_at)
            )
    Console().print(table)


@click.group()
def token() -> None:
    """Bearer tokens for programs that use the REST interface."""


@token.command("create")
@click.argument("username")
@click.argument("name")
@click.option("--write", is_flag=True, help="It may start and cancel runs, if the user may.")
@click.option("--days", type=click.IntRange(1, 3650), help="It ends after so many days.")
@click.pass_obj
def create(house: House, username: str, name: str, write: bool, days: int | None) -> None:
    """Make a token that acts for a user. It is printed once, on stdout."""
    from panel.auth import tokens

    with writing(house.sessions) as session:
        row, secret = tokens.create(
            session,
            _user(session, username),
            name[:80],
            "write" if write else "read",
            utcnow(),
            None if days is None else timedelta(days=days),
        )
        audit.record(session, ACTOR, "token_created", username, name=row.name, scope=row.scope)
    say("Keep it now: it is not shown again.")
    click.echo(secret)


@token.command("list")
@click.pass_obj
def list_tokens(house: House) -> None:
    """List them; the tokens themselves are not kept."""
    table = Table("number", "begins with", "user", "name", "scope", "last used", "ends", box=None)
    with house.sessions() as session:
        for row in session.scalars(select(ApiToken).order_by(ApiToken.id)):
            ends = f"revoked {moment(row.revoked_at)}" if row.revoked_at else moment(row.expires_at)
            table.add_row(
                str(row.id),
                row.prefix,
                row.user.username,
                row.name,
                row.scope,
                moment(row.last_used_at),
                ends,
            )
    Console().print(table)


@token.command("revoke")
@click.argument("number", type=int)
@click.pass_obj
def revoke(house: House, number: int) -> None:
    """End a token now."""
    from panel.auth import tokens

    with writing(house.sessions) as session:
        row = session.get(ApiToken, number)
        if row is None:
            raise Refusal(f"there is no token {number}")
        if tokens.revoke(row, utcnow()):
            audit.record(session, ACTOR, "token_revoked", row.user.username, name=row.name)
    click.echo(f"Token {number} does not work any more.")


def _user(session: Session, username: str) -> User:
    found = session.scalar(select(User).where(User.username == username))
    if found is None:
        raise Refusal(f"there is no user {username}")
    return found


def _keep_an_administrator(session: Session, leaving: User) -> None:
    others = select(User.id).where(User.role == "admin", User.active, User.id != leaving.id).limit(1)
    if leaving.role == "admin" and leaving.active and session.scalar(others) is None:
        raise Refusal(f"{leaving.username} is the only administrator; make another one first")


def _new_password(username: str, made: bool) -> str:
    from panel.auth.passwords import check_password_rules
    from panel.seed import random_password

    if made:
        return random_password()
    if sys.stdin.isatty():
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    problems = check_password_rules(password, username)
    if problems:
        raise Refusal(" ".join(problems))
    return password
