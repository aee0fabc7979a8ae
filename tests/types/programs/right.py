"""Uses of the client that a type checker must accept as they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, assert_type

import httpx

from opencode_nb import AsyncClient, AsyncSession, Client, Opencode, Record, Session, Turn, types

if TYPE_CHECKING:
    from opencode_nb.api.types import params, results


def a_session(client: Client) -> str:
    rules: list[params.PermissionRule] = [{"permission": "*", "pattern": "*", "action": "ask"}]
    session = client.session.create(title="Temperatures", permission=rules)
    assert_type(session.time.created, int)
    assert_type(session.get("parentID"), str | None)
    newer: object = session["some_newer_field"] or session.get("some_newer_field") or loosely(session)
    share = session.get("share")
    for each in client.session.list(roots=True, limit=5):
        print(each.title, each.to_json(), share.url if share else newer)
    client.session.update(session.id, permission=session.get("permission"))
    return session.id


async def responses(client: Client, other: AsyncClient) -> None:
    assert_type(client.session.get("ses_1", raw=True), httpx.Response)
    assert_type(client.session.get("ses_1", raw=False).title, str)
    assert_type(await other.session.list(limit=5, raw=True), httpx.Response)


def by_a_type_of_run_time(session: types.Session) -> str:
    assert_type(session.time.created, int)
    return session.title


def loosely(record: Record) -> object:
    return record.some_newer_field


def a_prompt(client: Client, session_id: str, model: params.SessionPromptModel) -> None:
    parts: list[params.SessionPromptPartsItem] = [
        {"type": "text", "text": "Hello"},
        {"type": "file", "mime": "text/plain", "url": "file:///a.txt", "filename": "a.txt"},
    ]
    answer = client.session.prompt(
        session_id, parts=parts, model=model, format={"type": "text"}, extra_body={"newer": 1}, timeout=None
    )
    error = answer.info.get("error")
    if error is not None and error.name == "APIError":
        print(error.data.isRetryable)
    client.session.prompt_async(session_id, parts=[{"type": "text", "text": "And more"}])
    for part in answer.parts:
        print(shown(part))
    for message in client.session.messages(session_id, limit=100):
        if message.info.role == "user":
            print(message.info.model.modelID)
        elif message.info.role == "assistant":
            print(message.info.modelID, message.info.tokens.cache.read)


def shown(part: results.Part) -> str:
    if part.type == "text" or part.type == "reasoning":
        return part.text
    if part.type == "tool":
        return tool(part.state)
    if part.type != "patch":
        return str(part.get("text"))
    return ", ".join(part.files)


def tool(state: results.ToolState) -> str:
    if state.status == "completed":
        return str(state.metadata.exit) + state.output
    if state.status == "error":
        return state.error
    return state.status


def the_rest(client: Client) -> None:
    assert_type(client.vcs.diff.raw(), str)
    assert_type(client.v2.fs.read("a.txt"), bytes)
    assert_type(client.session.abort("ses_1"), bool)
    changes = client.vcs.diff(mode="git")
    reply: Literal["once", "always"] = "once"
    client.permission.reply("per_1", reply=reply)
    client.question.reply("que_1", answers=[["yes"], []])
    client.copy(directory="/tmp").global_.health()
    print(changes[0].file, client.request("GET", "/new"))
    with client.pty.connect("pty_1") as terminal:
        terminal.send("ls\n")


def events(client: Client) -> None:
    with client.event.subscribe(give_up_after=None) as stream:
        for event in stream:
            if event.type == "message.part.delta":
                print(event.properties.delta, end="")
            elif event.type == "session.status" and event.properties.status.type == "retry":
                print(event.properties.status.attempt)
            elif event.type == "client.disconnected":
                print(event.properties.error)


async def asynchronously(client: AsyncClient) -> None:
    session = await client.session.get("ses_1")
    print(session.title, await client.session.status())
    async with client.global_.event(on_reconnect=lambda: print("again")) as stream:
        async for event in stream:
            payload = event.get("payload")
            if payload is not None and payload.type == "permission.asked":
                await client.permission.reply(payload.properties.id, reply="reject", message="no")
    async with client.pty.connect("pty_1") as terminal:
        print(await terminal.receive())


def blocking(agent: Opencode, session: Session) -> None:
    """What is derived from the async classes has their types."""
    assert_type(session.model, str | None)
    session.model = assert_type(session.title, str)
    assert_type(session.prompt("Go on", model="demo/demo", timeout=60), Turn)
    assert_type(session.messages(), list[dict[str, Any]])
    assert_type(agent.models(), list[str])
    assert_type(session.queue.add("Then this", timeout=60).text, str)
    session.rename(title="Another")


async def derived_from(session: AsyncSession) -> None:
    assert_type(await session.prompt("Go on", model="demo/demo", timeout=60), Turn)
    await session.rename("Another")
