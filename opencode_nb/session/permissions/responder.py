"""Responder: answers every open request of a turn exactly once, by the policy or a person."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from opencode_nb import callbacks
from opencode_nb.api.client import AsyncClient
from opencode_nb.errors import NotFoundError, OpencodeError
from opencode_nb.session.permissions import questions
from opencode_nb.session.permissions.approvals import Approvals, as_sent
from opencode_nb.session.permissions.policy import APPROVED, NOBODY, Answer, Person, Policy
from opencode_nb.session.permissions.questions import QuestionCallback
from opencode_nb.session.permissions.subjects import Place
from opencode_nb.transcript.state import ELSEWHERE, Json, TurnState

log = logging.getLogger("opencode_nb")

CALL_TIMEOUT = 1.0
"""Seconds to wait for the input of a request's tool call; after that, ask without it."""


class Tell(Protocol):
    """Records an answer in the transcript: `Feed.tell`."""

    def __call__(self, session_id: str, kind: str, **properties: Any) -> None:
        """Apply an event of this package's own, with the type "client.<kind>", to the session's transcript."""


@dataclass(frozen=True, slots=True)
class Answerers:
    """Who answers a turn's requests: first what may refuse, as a hook, then the policy, then the person.

    `refusal` returns the answer that refuses a request, or None; `unasked` whether only a hook has it asked.
    `on_question` answers questions before the person; each, and a policy's function, has `timeout` seconds. `place`
    resolves the paths of requests.
    """

    policy: Policy
    person: Person | None
    approvals: Approvals
    place: Place | None
    refusal: Callable[[Json], Awaitable[Answer | None]]
    unasked: Callable[[Json], bool]
    on_question: QuestionCallback | None = None
    timeout: float | None = None


class Responder:
    """Answers the requests of one turn. Call `look` after each change: it drops requests answered elsewhere."""

    def __init__(self, client: AsyncClient, tell: Tell, turn: TurnState, answerers: Answerers) -> None:
        self._client, self._tell = client, tell
        self._turn, self._by = turn, answerers
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._unanswered: dict[str, Json] = {}
        self._news = asyncio.Event()
        self._one_by_one = asyncio.Lock()  # for functions that may block

    def look(self) -> None:
        """Start answering new requests and drop those that are no longer open."""
        open_now = {**self._turn.permissions, **self._turn.questions}
        for request_id in [key for key in self._tasks if key not in open_now]:
            self._tasks.pop(request_id).cancel()
        self._unanswered = open_now
        for request_id, request in open_now.items():
            if request_id not in self._tasks:
                answer = self._permission if request_id in self._turn.permissions else self._question
                self._tasks[request_id] = asyncio.create_task(self._guard(request, answer))

    def note(self) -> None:
        """Wake whatever waits for a change in the turn."""
        self._news.set()

    async def close(self) -> None:
        """Stop, and reject unanswered requests: the server would keep listing them (docs/server.md)."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        for request in self._unanswered.values():
            with contextlib.suppress(OpencodeError):
                await self._decline(request)
        self._unanswered.clear()

    async def _decline(self, request: Json) -> None:
        if "questions" in request:
            await questions.send(self._client, request, None)
        else:
            await self._client.permission.reply(request["id"], reply="reject")

    async def _guard(self, request: Json, answer: Callable[[Json], Awaitable[None]]) -> None:
        try:
            await answer(request)
        except NotFoundError:  # answered elsewhere, as its event reports, or the turn has ended
            self._decided(request, "reject", ELSEWHERE, "")
        except OpencodeError as error:
            log.warning("Request %s could not be answered: %s", request.get("id"), error)
        except Exception as error:  # user code: without an answer the agent would wait forever
            log.exception("Asking about request %s failed; it is declined", request.get("id"))
            self._decided(request, "reject", "policy", f"Asking failed: {type(error).__name__}: {error}")
            with contextlib.suppress(OpencodeError):
                await self._decline(request)

    async def _permission(self, request: Json) -> None:
        request = await self._with_call(request)
        await self.reply(request, await self._decided_by(request) or await self._asked(request) or NOBODY)

    async def _decided_by(self, request: Json) -> Answer | None:
        """Return the answer of what may refuse, or of the policy; None if a person must be asked."""
        if (refusal := await self._by.refusal(request)) is not None:
            return refusal
        if self._by.unasked(request):
            return Answer("once", by="policy")
        return await self._by_policy(request)

    async def _by_policy(self, request: Json) -> Answer | None:
        policy = self._by.policy
        if policy.function is None:
            return await policy.decide(request, self._by.place)
        try:
            async with self._calling(policy.function, "permission="):
                return await policy.decide(request, self._by.place)
        except TimeoutError as error:
            return Answer("reject", f"{error}.", "policy")

    @contextlib.asynccontextmanager
    async def _calling(self, function: Callable[..., Any], name: str) -> AsyncIterator[None]:
        """Limit the time of a call; one of a function that is not async also waits for the one before it."""
        limit = asyncio.timeout(self._by.timeout)
        try:
            async with contextlib.nullcontext() if callbacks.is_async(function) else self._one_by_one, limit:
                yield
        except TimeoutError:
            if limit.expired():
                raise TimeoutError(f"{name} gave no answer within {self._by.timeout:g} s") from None
            raise

    async def _asked(self, request: Json) -> Answer | None:
        """Return the person's answer, or APPROVED as soon as an "always" covers the request."""
        if self._by.approvals.cover(request, self._turn.id):
            return APPROVED
        if self._by.person is None:
            return None
        asking = asyncio.ensure_future(self._by.person.permission(request))
        covering = asyncio.ensure_future(self._by.approvals.covering(request, self._turn.id))
        try:
            waits = (asking, covering)
            done, _ = await asyncio.wait(waits, timeout=self._by.timeout, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                return Answer("reject", self._too_late, "policy")
            return asking.result() if asking.done() else APPROVED
        finally:
            asking.cancel()
            covering.cancel()

    @property
    def _too_late(self) -> str:
        return f"Nobody answered within {self._by.timeout:g} s, so it was denied."

    async def _with_call(self, request: Json) -> Json:
        """Add the tool `call`, which has details that the request may lack, and what `_placed` adds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CALL_TIMEOUT):
                while request.get("tool") and not self._turn.call_of(request):
                    self._news.clear()
                    await self._news.wait()
        return self._placed({**request, "call": self._turn.call_of(request)})

    def _placed(self, request: Json) -> Json:
        """Add the session's `directory`, and the `asker` if it is another session."""
        return {**request, "directory": self._turn.directory, "asker": self._turn.asker_of(request)}

    async def reply(self, request: Json, answer: Answer) -> None:
        """Send an answer and record who gave it."""
        self._decided(request, answer.reply, answer.by, answer.message)
        if answer.by != "policy":  # a callable's policy keeps its own approvals
            self._by.approvals.remember(answer.reply, request, self._turn.id)
        await self._client.permission.reply(request["id"], **as_sent(answer.reply, answer.message))

    async def _question(self, request: Json) -> None:
        by, answers = await self._answers(request)
        if isinstance(answers, list):
            self._decided(request, "answered", by, "; ".join(", ".join(answer) for answer in answers))
            await questions.send(self._client, request, answers)
            return
        self._decided(request, "reject", by if answers == "reject" else "policy", "" if answers else NOBODY.message)
        await questions.send(self._client, request, answers)

    async def _answers(self, request: Json) -> tuple[str, questions.Answers]:
        """Return who answers the agent's questions, and the answers; None if nobody does."""
        if self._by.on_question is not None:
            async with self._calling(self._by.on_question, "on_question="):
                answers = await questions.asked(self._by.on_question, request)
            if answers is not None:
                return "policy", answers
        if self._by.person is None:
            return "policy", None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._by.timeout):
                return "you", await self._by.person.question(self._placed(request))
        return "policy", None

    def _decided(self, request: Json, reply: str, by: str, message: str) -> None:
        self._unanswered.pop(request["id"], None)
        self._tasks.pop(request["id"], None)  # else `look` would cancel this task before it sends the answer
        self._tell(self._turn.session_id, "decided", request=request, reply=reply, by=by, message=message)
