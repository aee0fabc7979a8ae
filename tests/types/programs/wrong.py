"""Twelve mistakes. A type checker must find each, on the line that says so, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from opencode_nb import AsyncClient, Client, Session

if TYPE_CHECKING:
    from opencode_nb.api.types import results


def arguments(client: Client) -> None:
    client.session.create(titel="Temperatures")  # mistake 1: no such parameter
    client.session.list(limit="five")  # mistake 2: a number is wanted
    client.session.messages()  # mistake 3: of which session?
    client.permission.reply("per_1", reply="yes")  # mistake 4: once, always or reject
    client.session.prompt("ses_1", parts=[{"type": "text", "text": 5}])  # mistake 5: a field of the body is a text


def answers(client: Client) -> None:
    session = client.session.get("ses_1")
    print(session.titel)  # mistake 6: no such field
    print(client.session.list().title)  # mistake 7: a list has none, its items have


def unions(state: results.ToolState, event: results.Event) -> None:
    if event.type == "message.part.delta":
        print(event.properties.delta, event.properties.info)  # mistake 8: another event has that
    if state.status == "pending" or state.status == "running":
        print("not yet")
    elif state.status == "completed":
        print(state.output)
    elif state.status == "error":
        print(state.error)
    else:
        assert_never(state)  # mistake 9: a newer server may send something else


async def waiting(client: Client, other: AsyncClient) -> None:
    print((await other.session.get("ses_1")).title)
    await client.session.get("ses_1")  # mistake 10: it does not wait, it returns


def blocking(session: Session) -> None:
    session.rename(5)  # mistake 11: a title is a text
    print(session.prompt("Go on", modle="demo/demo"))  # mistake 12: no such option
