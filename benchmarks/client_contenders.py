"""One client beside raw httpx, in the environment that has it: `python client_contenders.py NAME URL DELTAS`.

Both by turns in one process, because what a machine gives from one second to the next differs by half. Prints JSON: for
each measurement a list of pairs (raw httpx, the client): CPU microseconds for each streamed delta, CPU milliseconds for
loading the messages, milliseconds from a request to the first delta. Imports nothing but the standard library, httpx,
and the client in question.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

SECONDS = 15.0  # for each measurement: what one of them takes differs by half from its neighbour
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


def by_turns(both: list[Contender], measure: Callable[[Contender], float]) -> list[list[float]]:
    """Pairs of measurements, either one first in every second pair; at least two."""
    pairs: list[list[float]] = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or len(pairs) < 2:
        step = 1 if len(pairs) % 2 else -1
        pairs.append([measure(contender) for contender in both[::step]][::step])
    return pairs


def main() -> None:
    name, url, deltas = sys.argv[1], sys.argv[2], int(sys.argv[3])
    both = [raw(url), {each.__name__: each for each in (opencode_nb, opencode_py, opencode_ai)}[name](url)]
    for contender in both:  # what is imported late is no part of this
        contender.load()
        streaming(contender, 100)
    results = {
        "stream": by_turns(both, lambda contender: streaming(contender, deltas)),
        "load": by_turns(both, loading),
        "first": by_turns(both, first),
    }
    print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
