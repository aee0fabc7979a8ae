"""One client's measurements, made in the environment that has it: `python client_contenders.py NAME URL`.

Prints JSON: CPU microseconds for each streamed delta, CPU milliseconds for loading the messages, milliseconds from a
request to the first delta. Imports nothing but the standard library and the client in question.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

LOADS = 3
FIRSTS = 6
DELTA, END = "message.part.delta", "end"


class Contender(NamedTuple):
    """`events(deltas)` opens a stream that the server fills with so many deltas; `kind` tells an event's type."""

    events: Callable[[int], Any]
    kind: Callable[[Any], str]
    load: Callable[[], Any]
    post: Callable[[], Any]


def raw(url: str) -> Contender:
    """What the others are measured by: httpx and json, and nothing that is not needed."""
    import httpx

    client = httpx.Client(base_url=url)

    @contextmanager
    def events(deltas: int) -> Iterator[Iterator[Any]]:
        with client.stream("GET", "/event", params={"deltas": deltas}) as response:
            yield decoded(response)

    def decoded(response: httpx.Response) -> Iterator[Any]:
        rest = b""
        for chunk in response.iter_bytes():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])

    return Contender(
        events,
        lambda event: event["type"],
        lambda: json.loads(client.get("/session/ses_1/message").content),
        lambda: client.post("/session/ses_1/abort").json(),
    )


def opencode_nb(url: str) -> Contender:
    from opencode_nb import Client

    client = Client(url)
    return Contender(
        lambda deltas: client.event.subscribe(extra_query={"deltas": deltas}),
        lambda event: event.type,
        lambda: client.session.messages("ses_1"),
        lambda: client.session.abort("ses_1"),
    )


def opencode_py(url: str) -> Contender:
    from opencode import OpencodeClient, parse_stream_event

    client = OpencodeClient(base_url=url)

    @contextmanager
    def events(deltas: int) -> Iterator[Iterator[Any]]:
        response = client.event_subscribe(deltas=deltas)
        yield (parse_stream_event(line[6:]) for line in response.iter_lines() if line.startswith("data: "))
        response.close()

    return Contender(
        events,
        lambda event: event.type,
        lambda: client.session_messages("ses_1"),
        lambda: client.session_abort("ses_1"),
    )


def opencode_ai(url: str) -> Contender:
    from opencode_ai import Opencode

    client = Opencode(base_url=url)
    return Contender(
        lambda deltas: client.event.list(extra_query={"deltas": deltas}),
        lambda event: event.type,
        lambda: client.session.messages("ses_1"),
        lambda: client.session.abort("ses_1"),
    )


def streaming(contender: Contender, deltas: int) -> float:
    """CPU microseconds of this process, all its threads, for each delta."""
    with contender.events(deltas) as events:
        start = time.process_time()
        for event in events:
            if contender.kind(event) == END:
                break
        return (time.process_time() - start) / deltas * 1e6


def loading(contender: Contender) -> float:
    """CPU milliseconds for all the messages."""
    start = time.process_time()
    contender.load()
    return (time.process_time() - start) * 1000


def first(contender: Contender) -> float:
    """Milliseconds from a request to the first delta that the server sends for it."""
    with contender.events(0) as events:
        reader = iter(events)
        next(reader)
        start = time.perf_counter()
        contender.post()
        while contender.kind(next(reader)) != DELTA:
            pass
        return (time.perf_counter() - start) * 1000


def main() -> None:
    contender = {each.__name__: each for each in (raw, opencode_nb, opencode_py, opencode_ai)}[sys.argv[1]](sys.argv[2])
    deltas = int(sys.argv[3])
    contender.load()  # what is imported late is no part of this
    streaming(contender, 100)
    result = {
        "stream": streaming(contender, deltas),
        "load": min(loading(contender) for _ in range(LOADS)),
        "first": min(first(contender) for _ in range(FIRSTS)),
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
