"""Measure one client and raw httpx in that client's environment: `python client_contenders.py NAME URL DELTAS`.

Alternates between both in one process, because a machine's speed varies by half from one second to the next. Prints
JSON: for each measurement, a list of pairs (raw httpx, the client): CPU microseconds per streamed delta, CPU
milliseconds of loading the messages, milliseconds from a request to the first delta. Imports only the standard library,
httpx, and the client in question.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

SECONDS = 15.0  # per measurement: single values vary by half
DELTA, END = "message.part.delta", "end"


class Contender(NamedTuple):
    """`events(deltas)` opens a stream with so many deltas; `kind` returns an event's type."""

    events: Callable[[int], Any]
    kind: Callable[[Any], str]
    load: Callable[[], Any]
    post: Callable[[], Any]


def raw(url: str) -> Contender:
    """The yardstick for the others: only httpx and json."""
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
    """Return the CPU microseconds per delta of this process, with all threads."""
    with contender.events(deltas) as events:
        start = time.process_time()
        for event in events:
            if contender.kind(event) == END:
                break
        return (time.process_time() - start) / deltas * 1e6


def loading(contender: Contender) -> float:
    """Return the CPU milliseconds of loading all messages."""
    start = time.process_time()
    contender.load()
    return (time.process_time() - start) * 1000


def first(contender: Contender) -> float:
    """Return the milliseconds from a request to its first delta."""
    with contender.events(0) as events:
        reader = iter(events)
        next(reader)
        start = time.perf_counter()
        contender.post()
        while contender.kind(next(reader)) != DELTA:
            pass
        return (time.perf_counter() - start) * 1000


def by_turns(both: list[Contender], measure: Callable[[Contender], float]) -> list[list[float]]:
    """Return at least two pairs of measurements, alternating which one is first."""
    pairs: list[list[float]] = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or len(pairs) < 2:
        step = 1 if len(pairs) % 2 else -1
        pairs.append([measure(contender) for contender in both[::step]][::step])
    return pairs


def main() -> None:
    name, url, deltas = sys.argv[1], sys.argv[2], int(sys.argv[3])
    both = [raw(url), {each.__name__: each for each in (opencode_nb, opencode_py, opencode_ai)}[name](url)]
    for contender in both:  # exclude late imports
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
