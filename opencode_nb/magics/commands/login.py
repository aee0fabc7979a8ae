"""Subcommands for the logins to model providers: login, logout."""

from __future__ import annotations

import getpass
from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from opencode_nb.errors import OpencodeError
from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.showing.frontend import can_ask
from opencode_nb.magics.workspace import Workspace
from opencode_nb.secret import Secret
from opencode_nb.session.prompt import listing
from opencode_nb.transcript.state import Json

if TYPE_CHECKING:
    from opencode_nb.session.blocking import Opencode
    from opencode_nb.session.login.logins import Login, LoginMethod

group = Group("Logins")


@group.command(
    argument("provider", nargs="?", metavar="PROVIDER", help="the provider to log in to (default: list them)"),
    argument("--key", action="store_true", help="with an API key; you are asked for it, and it is not shown"),
    argument("--method", type=int, metavar="N", help="with this one of the provider's methods, as they are numbered"),
)
def login(workspace: Workspace, options: Namespace) -> None:
    """Log in to a model provider, or list the providers and how to log in to each.

    A login is kept by OpenCode, for all its programs, and not in the notebook.
    """
    if options.provider is None:
        _list(workspace.ai)
        return
    found = workspace.ai.find_login(options.provider)
    from opencode_nb.session.login.logins import API_KEY

    method = API_KEY if options.key else _method(found, options.method)
    if method is None:
        say("\n".join([f"{found.name} has several ways to log in:", *_numbered(found)]))
        say(f"%opencode login {found.provider} --method N logs in with one of them.")
        return
    _check_can_ask(workspace.ai)
    in_effect = (
        _with_key(workspace.ai, found, method) if method.type == "api" else _with_browser(workspace.ai, found, method)
    )
    say(f"Logged in to {found.name}.{'' if in_effect else NOT_YET}")


@group.command(argument("provider", metavar="PROVIDER", help="the provider to log out of"))
def logout(workspace: Workspace, options: Namespace) -> None:
    """Remove the stored login to a model provider."""
    in_effect = workspace.ai.logout(options.provider)
    say(f"Removed the login to {options.provider}, if there was one.{'' if in_effect else NOT_YET}")
    found = workspace.ai.find_login(options.provider)
    if found.source in ("environment", "configuration"):
        say(f"It can still be used: its access comes from the {found.source}.")


NOT_YET = " A turn is running: this is in effect after %opencode restart."


def _list(ai: Opencode) -> None:
    say(listing.shortened("\n".join(f"{one.provider:<24} {one.source or '-':<14} {_ways(one)}" for one in ai.logins())))
    say(f"%opencode login PROVIDER logs in (Tab completes all providers); in a terminal: {_terminal(ai)}")


def _ways(login: Login) -> str:
    return "; ".join(method.label for method in login.methods)


def _numbered(login: Login) -> Iterable[str]:
    return (f"  {number}  {method.label}" for number, method in enumerate(login.methods, 1))


def _method(login: Login, number: int | None) -> LoginMethod | None:
    """Return the method to use; None if the user has to choose. Raises UsageError for a wrong number."""
    if number is None:
        return login.methods[0] if len(login.methods) == 1 else None
    if not 1 <= number <= len(login.methods):
        raise UsageError(f"%opencode login: {login.name} has no method {number}: {len(login.methods)} is the last.")
    return login.methods[number - 1]


def _with_key(ai: Opencode, login: Login, method: LoginMethod) -> bool:
    details = _asked(method)
    return ai.login(login.provider, Secret(getpass.getpass(f"API key of {login.name}: ")), details=details)


def _with_browser(ai: Opencode, login: Login, method: LoginMethod) -> bool:
    number = login.methods.index(method)
    page = ai.start_login(login.provider, number, _asked(method))
    say(f"Open this page: {page.url}\n{page.instructions}".rstrip())
    code = Secret(getpass.getpass("The code: ")) if page.needs_code else None
    return ai.finish_login(login.provider, number, code)


def _asked(method: LoginMethod) -> dict[str, str]:
    """Ask what the method wants to know."""
    answers: dict[str, str] = {}
    for wanted in method.asks:
        if _applies(wanted.get("when"), answers):
            answers[wanted["key"]] = input(f"{wanted['message']}{_hint(wanted)}: ").strip()
    return {key: answer for key, answer in answers.items() if answer}


def _applies(when: Json | None, answers: dict[str, str]) -> bool:
    return when is None or (answers.get(when["key"]) == when["value"]) == (when["op"] == "eq")


def _hint(wanted: Json) -> str:
    choices = " or ".join(str(option["value"]) for option in wanted.get("options") or ())
    hint = choices or wanted.get("placeholder")
    return f" ({hint})" if hint else ""


def _check_can_ask(ai: Opencode) -> None:
    if not can_ask():
        raise OpencodeError(f"Nobody can be asked here: log in where a cell can ask, or in a terminal: {_terminal(ai)}")


def _terminal(ai: Opencode) -> str:
    from opencode_nb.server.binary import login_command

    return login_command(ai.managed.status().program if ai.managed else None)
