"""`DemoModel`: a loopback HTTP endpoint that speaks OpenAI's chat completions and plays scripts.

Owns the sockets, the pacing, and the queue of exact scripts. The answers come from that queue, or from the library of
named turns. Standard library only.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import uuid
from collections import deque
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

from opencode_nb.demo.library import play, title
from opencode_nb.demo.scene import Json, Scene, estimate_tokens
from opencode_nb.demo.script import (
    Action,
    Call,
    Drop,
    Failure,
    Finish,
    Gate,
    Pause,
    Raw,
    Script,
    Step,
    Usage,
    Words,
    steps,
)

PACE_S = 0.012
"""Seconds between two deltas: about 80 words a second, slow enough to see the streaming."""
GATE_LIMIT_S = 120.0
"""Maximum wait of a gate in seconds, so that a forgotten release breaks the stream instead of hanging it."""
REQUEST_LIMIT_BYTES = 256 * 1024 * 1024
CLOSE_POLL_S = 0.05
"""Interval in seconds at which the server checks for `close`."""
NAME = "Scripted demo (not an AI)"
PATCH_MODEL = "demo-gpt-5"
"""A second id for the same model: for ids like this, OpenCode offers `apply_patch` instead of `edit` and `write`."""
PRICES = {"input": 1.0, "output": 4.0, "cache_read": 0.1, "cache_write": 1.25}
"""Made-up prices in USD per million tokens, so that costs can be shown and limited."""


class DemoModel:
    """A scripted model behind an OpenAI-compatible endpoint on loopback.

    `pace`: seconds between two deltas (0 for none). Use it as a context manager, or call `start` and `close`.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, pace: float = PACE_S) -> None:
        self.pace = pace
        self.requests: list[Json] = []
        """The bodies of all requests so far, except those for titles, in order of arrival."""
        self.titles: list[Json] = []
        """The bodies of the requests for titles."""
        self._address = (host, port)
        self._server: _Server | None = None
        self._changed = threading.Condition()
        self._queue: deque[Step] = deque()
        self._refused: dict[tuple[str, int], int] = {}
        self._released: set[str] = set()
        self._reached: set[str] = set()
        self._closing = False

    def start(self) -> DemoModel:
        """Listen and serve from a daemon thread; return self. Raises OSError if the port is in use."""
        if self._server is None:
            self._closing = False
            self._server = _Server(self._address, self)
            serve = partial(self._server.serve_forever, poll_interval=CLOSE_POLL_S)
            threading.Thread(target=serve, name="opencode-nb-demo", daemon=True).start()
        return self

    def close(self) -> None:
        """Stop listening, and cut off running streams."""
        server, self._server = self._server, None
        if server is None:
            return
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        server.shutdown()
        server.server_close()

    def __enter__(self) -> DemoModel:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The base URL, `http://127.0.0.1:PORT/v1`. Raises RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("The demo model is not running: call start() first.")
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/v1"

    def config(self) -> Json:
        """Return an OpenCode configuration with this as the only provider and the default model."""
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "name": NAME,
            "options": {"baseURL": self.url, "apiKey": "none-needed"},
            "models": {"demo": _model(NAME), PATCH_MODEL: _model(f"{NAME}, with apply_patch")},
        }
        return {
            "model": "demo/demo",
            "small_model": "demo/demo",
            "share": "disabled",
            "autoupdate": False,
            "enabled_providers": ["demo"],
            "provider": {"demo": provider},
        }

    def queue(self, *scripts: Script | Action) -> None:
        """Play these scripts, first in first out, for the next requests (except titles), whatever the prompts."""
        with self._changed:
            self._queue.extend(step for script in scripts for step in steps(script))

    @property
    def queued(self) -> int:
        """The number of queued requests not played yet."""
        return len(self._queue)

    def reset(self) -> None:
        """Reset to the initial state: no queued scripts, no recorded requests, all gates closed."""
        with self._changed:
            for known in (self.requests, self.titles, self._queue, self._refused, self._released, self._reached):
                known.clear()

    def wait_for_request(self, n: int, timeout: float = 10.0) -> Json:
        """Wait for the `n`-th request (not counting titles) and return its body. Raises TimeoutError."""
        self._await(lambda: len(self.requests) >= n, timeout, f"only {len(self.requests)} of {n} requests arrived")
        return self.requests[n - 1]

    def offered(self, n: int = 0) -> list[str]:
        """Return the names of the tools in the `n`-th request, by default in the last one."""
        return list(Scene(self.requests[n - 1]).tools)

    def wait_for_gate(self, name: str, timeout: float = 10.0) -> None:
        """Wait until a stream reaches the gate `name`. Raises TimeoutError."""
        self._await(lambda: name in self._reached, timeout, f"no stream reached the gate {name!r}")

    def release(self, name: str) -> None:
        """Open the gate `name` permanently."""
        with self._changed:
            self._released.add(name)
            self._changed.notify_all()

    def _await(self, is_true: Any, timeout: float, complaint: str) -> None:
        with self._changed:
            if not self._changed.wait_for(is_true, timeout):
                raise TimeoutError(f"After {timeout:g} s {complaint}.")

    def _next_step(self, body: Json, session: str) -> Step:
        """Return the answer to this request. Counts refusals, so that a script can succeed on a later attempt."""
        scene = Scene(body)
        if scene.is_title:
            self._note(self.titles, body)
            return [Words((title(scene),), pace=0)]
        key = (session, len(scene.messages))
        queued = self._note(self.requests, body)
        step = play(Scene(body, attempt=self._refused.get(key, 0))) if queued is None else queued
        if queued is None:
            self._count_refusal(key, step)
        return step

    def _note(self, log: list[Json], body: Json) -> Step | None:
        with self._changed:
            log.append(body)
            self._changed.notify_all()
            return self._queue.popleft() if self._queue and log is self.requests else None

    def _count_refusal(self, key: tuple[str, int], step: Step) -> None:
        with self._changed:
            if any(isinstance(action, Failure) and action.retryable for action in step):
                self._refused[key] = self._refused.get(key, 0) + 1
            else:
                self._refused.pop(key, None)

    def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            with self._changed:
                self._changed.wait_for(lambda: self._closing, seconds)
        if self._closing:
            raise ConnectionAbortedError("the demo model closes")

    def _pass_gate(self, name: str) -> None:
        with self._changed:
            self._reached.add(name)
            self._changed.notify_all()
            is_open = self._changed.wait_for(lambda: name in self._released or self._closing, GATE_LIMIT_S)
        if self._closing or not is_open:
            raise ConnectionAbortedError(f"the gate {name!r} was never opened")


class _Server(ThreadingTCPServer):
    # Not http.server's own class, which looks up the host's full name: that can take seconds.
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], model: DemoModel) -> None:
        self.model = model
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that disconnects in the middle of a stream (an abort); report other errors as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "opencode-nb-demo"
    sys_version = ""
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the endpoint runs in a notebook's kernel."""

    def do_GET(self) -> None:
        """Serve `/v1/models`."""
        if self.path != "/v1/models":
            self._error(Failure(HTTPStatus.NOT_FOUND, f"There is no {self.path} here."))
            return
        names = ("demo", PATCH_MODEL)
        self._json({"object": "list", "data": [{"id": n, "object": "model", "owned_by": NAME} for n in names]})

    def do_POST(self) -> None:
        """Serve `/v1/chat/completions`, streaming or not."""
        length = int(self.headers.get("content-length") or 0)
        if self.path != "/v1/chat/completions" or not 0 < length <= REQUEST_LIMIT_BYTES:
            self._error(Failure(HTTPStatus.NOT_FOUND, f"POST {self.path} is not understood."))
            return
        body: Json = json.loads(self.rfile.read(length))
        step = self.server.model._next_step(body, self.headers.get("x-session-id") or "")
        failure = next((action for action in step if isinstance(action, Failure)), None)
        if failure:
            self._error(failure)
        elif body.get("stream"):
            self._stream(body, step)
        else:
            self._json(_completion(body, step))

    def _stream(self, body: Json, step: Step) -> None:
        self._head(HTTPStatus.OK, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        _Stream(self, body, step).play()

    def _error(self, failure: Failure) -> None:
        self._json({"error": {"message": failure.message, "code": failure.status}}, failure.status, failure.headers)

    def _json(self, value: Json, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        own = {"content-type": "application/json", "content-length": str(len(data))}
        self._head(status, own | (headers or {}))
        self.wfile.write(data)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        """Send one piece of a chunked body; an empty one ends it."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


class _Stream:
    """One streamed answer."""

    def __init__(self, handler: _Handler, body: Json, step: Step) -> None:
        self._handler = handler
        self._model = handler.server.model
        self._body = body
        self._step = step
        self._calls = 0
        self._frame = {"id": _new_id("chatcmpl"), "object": "chat.completion.chunk", "model": body.get("model")}

    def play(self) -> None:
        """Send every delta, then the finish reason, the usage and the end marker."""
        self._delta({"role": "assistant", "content": ""})
        for action in self._step:
            if isinstance(action, Drop):
                return
            self._act(action)
        self._choice({}, _finish_reason(self._step))
        self._send({"choices": [], "usage": _usage(self._body, self._step)})
        self._handler.chunk(b"data: [DONE]\n\n")
        self._handler.chunk(b"")

    def _act(self, action: Action) -> None:
        match action:
            case Words(deltas, is_reasoning, pace):
                for delta in deltas:
                    self._delta({"reasoning_content" if is_reasoning else "content": delta}, pace)
            case Call():
                self._call(action)
            case Pause(seconds):
                self._model._sleep(seconds)
            case Gate(name):
                self._model._pass_gate(name)
            case Raw(data):
                self._handler.chunk(data)

    def _call(self, call: Call) -> None:
        index, self._calls = self._calls, self._calls + 1
        function = {"name": _offered_name(self._body, call.name), "arguments": ""}
        self._delta({"tool_calls": [{"index": index, "id": _new_id("call"), "type": "function", "function": function}]})
        for piece in call.pieces:
            self._delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def _delta(self, delta: Json, pace: float | None = None) -> None:
        self._choice(delta)
        self._model._sleep(self._model.pace if pace is None else pace)

    def _choice(self, delta: Json, finish_reason: str | None = None) -> None:
        self._send({"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

    def _send(self, fields: Json) -> None:
        frame = self._frame | {"created": int(time.time())} | fields
        self._handler.chunk(b"data: %s\n\n" % json.dumps(frame).encode())


def _completion(body: Json, step: Step) -> Json:
    """Return the whole answer as one object, for a request without `stream`."""
    calls = [action for action in step if isinstance(action, Call)]
    message = {
        "role": "assistant",
        "content": _said(step, reasoning=False),
        "reasoning_content": _said(step, reasoning=True),
        "tool_calls": [
            {
                "id": _new_id("call"),
                "type": "function",
                "function": {"name": _offered_name(body, c.name), "arguments": "".join(c.pieces)},
            }
            for c in calls
        ],
    }
    return {
        "id": _new_id("chatcmpl"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": _finish_reason(step)}],
        "usage": _usage(body, step),
    }


def _offered_name(body: Json, name: str) -> str:
    """Return the offered tool that a pattern means; the name as it is if none is."""
    return Scene(body).offered(name) or name


def _said(step: Step, *, reasoning: bool) -> str:
    return "".join("".join(a.deltas) for a in step if isinstance(a, Words) and a.reasoning is reasoning)


def _finish_reason(step: Step) -> str:
    told = [action.reason for action in step if isinstance(action, Finish)]
    has_calls = any(isinstance(action, Call) for action in step)
    return told[-1] if told else "tool_calls" if has_calls else "stop"


def _usage(body: Json, step: Step) -> Json:
    told = [action for action in step if isinstance(action, Usage)]
    count = told[-1] if told else _estimated_usage(body, step)
    return {
        "prompt_tokens": count.prompt,
        "completion_tokens": count.completion,
        "total_tokens": count.prompt + count.completion,
        "prompt_tokens_details": {"cached_tokens": count.cached},
        "completion_tokens_details": {"reasoning_tokens": count.reasoning},
    }


def _estimated_usage(body: Json, step: Step) -> Usage:
    """Count one token per delta of words, and a quarter of a token per character of everything else."""
    words = [action for action in step if isinstance(action, Words)]
    thought = sum(len(w.deltas) for w in words if w.reasoning)
    arguments = sum(estimate_tokens("".join(a.pieces)) for a in step if isinstance(a, Call))
    spoken = sum(len(w.deltas) for w in words) + arguments
    asked = estimate_tokens([body.get("messages"), body.get("tools")])
    return Usage(asked, spoken, thought)


def _new_id(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:24]}"


def _model(name: str) -> Json:
    return {
        "name": name,
        "reasoning": True,
        "tool_call": True,
        "attachment": True,
        "modalities": {"input": ["text", "image", "pdf"], "output": ["text"]},
        "cost": PRICES,
        "limit": {"context": 200_000, "output": 32_000},
    }
