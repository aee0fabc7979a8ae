"""Measure what the panel adds to the server's latency, in a real JupyterLab: `python benchmarks/latency.py [TURNS]`.

Enter: from the key to the model's request, and from a bare `POST prompt_async` to the model's request. Token: from the
model's first token to its pixels (two frames included), and to the server's event at a bare reader of `GET /event`, in
the same turn. The difference is ours, with JupyterLab's. Panel and server alternate, so that other load affects both.
Prints the median and the 95th percentile in ms; see the load average. Exits with 1 if a goal is missed.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.chat import load, notebook, run  # noqa: E402

SETTLED = 0.3  # seconds before each measured step, so that it starts from an idle page
TIMEOUT = 60  # seconds
GOALS = {"token to pixel, p95 over the server's event, ms": 60.0, "Enter to the model's request, median, ms": 120.0}

OPEN = "import opencode_nb as oc\nai = oc.Opencode()\npanel = oc.chat(ai.session())\npanel"
SERVER = "print(ai.server.url, ai.server.password, ai.session().id)"

WATCH = """
() => {
  const panel = [...document.querySelectorAll('[data-view="chat"]')].at(-1);
  const at = (stamp) => performance.timeOrigin + stamp;
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Enter") window.entered = at(event.timeStamp);
  }, { capture: true });
  window.waitFor = (word) => {
    window.painted = new Promise((resolve) => {
      const look = () => requestAnimationFrame(() => {
        if (!panel.querySelector("[role=log]").textContent.includes(word)) return look();
        requestAnimationFrame(() => resolve(at(performance.now())));
      });
      look();
    });
  };
}
"""


class Requests:
    """When each request of the model arrived, in seconds since the epoch; observed on a thread of its own."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._times: list[float] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        for number in itertools.count(1):
            self._model.wait_for_request(number, timeout=threading.TIMEOUT_MAX)
            with self._changed:
                self._times.append(time.time())
                self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._times)

    def at(self, number: int) -> float:
        """Wait for the request with this number, from 0, and return its time."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._times) > number, TIMEOUT):
                raise TimeoutError("the model got no request")
            return self._times[number]


class Server:
    """The notebook's server without this package: bare requests, and a reader of its events."""

    def __init__(self, url: str, password: str, session: str, directory: Path) -> None:
        self._client = httpx.Client(
            base_url=url,
            auth=("opencode", password),
            params={"directory": str(directory)},
            timeout=httpx.Timeout(TIMEOUT, read=None),
        )
        self._session = session
        self._lines: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        with contextlib.suppress(httpx.TransportError), self._client.stream("GET", "/event") as response:
            for line in response.iter_lines():  # until the server ends
                with self._changed:
                    self._lines.append((time.time(), line))
                    self._changed.notify_all()

    def _first(self, *words: str) -> float | None:
        return next((at for at, line in self._lines if all(word in line for word in words)), None)

    def told(self, *words: str) -> float:
        """Wait for an event with these words, and return its time."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._first(*words), TIMEOUT)
        if found is None:
            raise TimeoutError(f"no event with {words}")
        return found

    def prompt(self, text: str) -> float:
        """Send a prompt, and return when."""
        self._lines.clear()
        at = time.time()
        body = {"parts": [{"type": "text", "text": text}]}
        self._client.post(f"/session/{self._session}/prompt_async", json=body).raise_for_status()
        return at

    def forget(self) -> None:
        """Forget the events so far."""
        self._lines.clear()


def measure(turns: int, book: Any, model: Any, server: Server, requests: Requests) -> Iterator[dict[str, float]]:
    """Yield the milliseconds of each sample by what was measured."""
    for number in range(turns + 1):  # one to warm up
        yield {"server": alone(model, server, requests, number), **panel(book, model, server, requests, number)}


def alone(model: Any, server: Server, requests: Requests, number: int) -> float:
    """Return the milliseconds from a bare request to the model's."""
    from opencode_nb.demo import text

    model.queue([[text(f"alone{number}")]])
    time.sleep(SETTLED)
    before = len(requests)
    sent = server.prompt("go")
    asked = requests.at(before)
    server.told('"session.idle"')
    return (asked - sent) * 1000


def panel(book: Any, model: Any, server: Server, requests: Requests, number: int) -> dict[str, float]:
    """Return the milliseconds of one turn in the panel."""
    from opencode_nb.demo import gate, text

    word, name = f"token{number}x", f"gate{number}"
    model.queue([[gate(name), text([word, " and more"])]])
    page = book.page
    root = page.locator('.opencode-nb[data-view="chat"]').last
    root.get_by_role("textbox", name="Message").fill(f"prompt {number}")
    time.sleep(SETTLED)
    before = len(requests)
    server.forget()
    root.get_by_role("textbox", name="Message").press("Enter")
    asked = requests.at(before)
    model.wait_for_gate(name)
    page.evaluate("word => waitFor(word)", word)
    time.sleep(SETTLED)
    said = time.time()
    model.release(name)
    event = server.told("delta", word)
    painted, entered = page.evaluate("painted"), page.evaluate("entered")
    root.get_by_role("button", name="Stop", exact=True).wait_for(state="hidden", timeout=TIMEOUT * 1000)
    return {
        "enter": asked * 1000 - entered,
        "event": (event - said) * 1000,
        "pixel": painted - said * 1000,
        "over": painted - event * 1000,
    }


@contextlib.contextmanager
def parts() -> Iterator[tuple[Any, Any, Server, Requests]]:
    """Yield a notebook with an open panel, its model, its server and the model's requests."""
    with notebook() as (book, model):
        run(book, OPEN)
        book.write(0, SERVER)
        url, password, session = book.run(0).split()
        book.page.locator('.opencode-nb[data-view="chat"]').get_by_role("textbox", name="Message").wait_for()
        book.page.evaluate(WATCH)
        yield book, model, Server(url, password, session, book.path.parent), Requests(model)


def main(turns: int = 40) -> None:
    """Print the figures, and which goals are missed."""
    with parts() as found:
        _warm_up, *samples = measure(turns, *found)
        print(f"{turns} turns; {load()}")
    columns = {name: [sample[name] for sample in samples] for name in LABELS}
    p95 = {name: quantiles(values, n=20)[-1] for name, values in columns.items()}
    for name, label in LABELS.items():
        print(f"{label:<58} median {median(columns[name]):4.0f} ms, p95 {p95[name]:4.0f} ms")
    figures = dict(zip(GOALS, (p95["over"], median(columns["enter"])), strict=True))
    for name, goal in GOALS.items():
        print(f"{name} {figures[name]:.0f}, at most {goal:g}: {'yes' if figures[name] <= goal else 'NO'}")
    sys.exit(any(figures[name] > goal for name, goal in GOALS.items()))


LABELS = {
    "server": "bare POST prompt_async to the model's request",
    "enter": "Enter in the panel to the model's request",
    "event": "the model's first token to the server's event",
    "pixel": "the model's first token to its pixels",
    "over": "the server's event to the pixels",
}

if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
