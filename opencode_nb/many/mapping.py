"""`oc.map` and `oc.amap`: many prompts at once, from blocking and from async code."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from opencode_nb import portal
from opencode_nb.many import workers
from opencode_nb.many.answers import Rebuild
from opencode_nb.many.apart import Apart, options_of
from opencode_nb.many.here import Asker, Here
from opencode_nb.many.items import Item, Prompts, by_default, read
from opencode_nb.many.kept import keys
from opencode_nb.many.progress import progress_bar
from opencode_nb.many.remembering import Asking, Remembering
from opencode_nb.many.resume import ResumeFile
from opencode_nb.many.sessions import Forks, Fresh, Sessions
from opencode_nb.many.trees import Trees
from opencode_nb.many.work import Ask, Stoppable, Tell, ask_all
from opencode_nb.retry import Retry
from opencode_nb.session.blocking import Opencode, Session
from opencode_nb.session.opencode import AsyncOpencode
from opencode_nb.session.permissions.console import ConsolePerson
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.session.session import AsyncSession
from opencode_nb.spending.budget import Budget
from opencode_nb.tools.privacy import default_level

__all__ = ["amap", "map"]

Kind = Literal["fresh", "fork"]
OnResult = Callable[[int, Any], object]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a map was asked for, checked. `options` are those of its prompts."""

    concurrency: int
    executor: Any
    kind: Kind
    resume: str | os.PathLike[str] | None
    worktree: bool
    progress: bool
    options: dict[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.concurrency, int) or self.concurrency < 1:
            raise ValueError(f"concurrency={self.concurrency!r} is not a number of prompts from 1 on.")
        if self.kind not in ("fresh", "fork"):
            raise ValueError(f'session={self.kind!r} is neither "fresh" nor "fork".')
        if self.executor is not None and (self.worktree or self.kind == "fork"):
            raise ValueError("An executor's workers have no worktree or session of here: leave out executor=.")
        if self.worktree and self.kind == "fork":
            raise ValueError("A fork stays in its session's directory: leave out worktree=, or session=.")
        if self.worktree and self.options["schema"] is not None:
            raise ValueError("With a schema the results are values, which have no diff: leave out worktree=.")


@dataclass(frozen=True, slots=True)
class _Place:
    """The agent that is asked, and the session to fork."""

    face: Opencode | AsyncOpencode
    base: Session | AsyncSession | None = None

    @property
    def ai(self) -> AsyncOpencode:
        return self.face._async if isinstance(self.face, Opencode) else self.face

    @property
    def session(self) -> AsyncSession:
        if self.base is None:
            raise ValueError('session="fork" forks a session: give it as ai=.')
        return self.base._async if isinstance(self.base, Session) else self.base

    @property
    def rebuild(self) -> Rebuild:
        return Rebuild(self.face.session if isinstance(self.face, Opencode) else None, self.ai.environment)


async def _run(plan: _Plan, items: list[Item], place: _Place, tell: Tell) -> list[Any]:
    async with contextlib.AsyncExitStack() as stack:
        asker = await _asker(plan, len(items), place, stack)
        ask = await _remembered(plan, items, place, asker, stack)
        return await ask_all(items, ask, plan.concurrency, tell)


async def _asker(plan: _Plan, count: int, place: _Place, stack: contextlib.AsyncExitStack) -> Asker:
    ai = place.ai
    if plan.executor is not None:
        stack.push_async_callback(asyncio.to_thread, workers.end_idle)
        job = workers.Job(secrets.token_hex(8), workers.sent_options(options_of(ai)), count, default_level())
        return workers.Remote(plan.executor, job, ai, place.rebuild)
    sessions: Sessions = Forks(place.session) if plan.kind == "fork" else Fresh(ai, count)
    await ai.start()
    if not plan.worktree:
        return Here(ai, sessions, place.rebuild)
    trees = await asyncio.to_thread(Trees, ai.directory)
    stack.push_async_callback(asyncio.to_thread, trees.close)
    return Apart(ai, sessions, place.rebuild, trees)


async def _remembered(
    plan: _Plan, items: list[Item], place: _Place, asker: Asker, stack: contextlib.AsyncExitStack
) -> Ask:
    if plan.resume is None:
        return Asking(asker).ask
    found = await keys(items, place.ai.directory, place.ai)
    file = stack.enter_context(await asyncio.to_thread(ResumeFile, plan.resume))
    return Remembering(asker, file, found, place.rebuild).ask


def map(
    prompts: Prompts,
    *,
    ai: Opencode | Session | None = None,
    schema: Any = None,
    concurrency: int = 4,
    executor: Any = None,
    session: Kind = "fresh",
    budget: Budget | None = None,
    retry: int | Retry | None = None,
    resume: str | os.PathLike[str] | None = None,
    worktree: bool = False,
    on_result: OnResult | None = None,
    progress: bool = True,
    **options: Any,
) -> list[Any]:
    """Send many prompts, `concurrency` at a time, and return their turns in order, or with a `schema` their values.

    A prompt is a text, or a text and a dict of options of its own; other `options` are those of `Session.prompt`, for
    all. A prompt that fails has its exception in its place, for a TurnError with `.turn`; the others go on.
    `on_result(index, result)` is called with each as it comes, on this thread; if it raises, all stop.

    `ai`: the Opencode to use; else the notebook's own, or outside of notebooks one for this call. Each prompt has a
    session of its own, which stays stored, below one session for all. With `session="fork"` it is a fork of the
    session given as `ai`, or of the notebook's.
    `resume`: a file that the answers are added to, readable by you only. The same map with the same file sends only
    what has no answer there: after a failure, an interrupt or a kill. A prompt is found by its text, attachments,
    model, schema and how often it came before.
    `executor`: a `concurrent.futures` executor or a `dask.distributed` client, whose workers start servers of their
    own with the options of `ai`, passwords left out, and at most the privacy level of here. Nobody answers requests
    there; `budget` is checked before each prompt.
    `worktree`: each prompt runs in a git worktree of its own, made from the files as they are; `turn.diff().apply()`
    takes its changes, and refuses files that were changed since.
    An interrupt stops the running turns. A terminal or notebook shows a bar, unless `progress` is false.
    Raises before anything is sent: TypeError and ValueError for wrong prompts or options, OSError for `resume`,
    OpencodeError if the server does not start.
    """
    jobs = Jobs()
    given = {"schema": schema, "budget": budget, "retry": retry, **options}
    plan = _Plan(concurrency, executor, session, resume, worktree, progress, given)
    items = read(prompts, given)
    if not items:
        return []
    with _blocking_place(ai, plan) as place, progress_bar(len(items), wanted=progress) as bar:
        asking = items if executor is not None else by_default(items, person=partial(ConsolePerson, jobs, bar.aside))

        async def tell(index: int, result: Any) -> None:
            bar.tell(isinstance(result, Exception))
            if on_result is not None:
                await jobs.run(partial(on_result, index, result))

        return _waited(Stoppable(partial(_run, plan, asking, place, tell)), jobs)


def _waited(running: Stoppable[list[Any]], jobs: Jobs) -> list[Any]:
    """Serve this thread's jobs until all is done. On an interrupt, stop all turns, then re-raise."""
    over: Future[None] = Future()
    try:
        future = portal.start(running.run)
        future.add_done_callback(lambda _future: over.set_result(None))
        jobs.serve_until(over)
        return future.result()
    except BaseException:
        portal.run(running.stop)
        raise


@contextlib.contextmanager
def _blocking_place(ai: Any, plan: _Plan) -> Iterator[_Place]:
    if isinstance(ai, (AsyncOpencode, AsyncSession)):
        raise TypeError("An AsyncOpencode is for `await oc.amap(...)`: give an Opencode, or use that.")
    found = _given(ai) or _notebooks(plan.kind)
    if found is not None:
        yield found
        return
    own = Opencode()
    try:
        yield _Place(own)
    finally:
        own.close()


def _given(ai: Any) -> _Place | None:
    if isinstance(ai, (Opencode, AsyncOpencode)):
        return _Place(ai)
    if isinstance(ai, (Session, AsyncSession)):
        owner: Any = ai.owner
        return _Place(owner, ai)
    if ai is not None:
        raise TypeError(f"ai= must be an Opencode or a Session, not {type(ai).__name__}.")
    return None


def _notebooks(kind: Kind) -> _Place | None:
    """Return the notebook's own agent, with its session if that is to be forked; None outside of notebooks."""
    if "IPython" not in sys.modules:
        return None
    from opencode_nb.magics.workspace import own_workspace

    workspace = own_workspace()
    if workspace is None:
        return None
    return _Place(workspace.ai, workspace.session if kind == "fork" else None)


async def amap(
    prompts: Prompts,
    *,
    ai: AsyncOpencode | AsyncSession | Opencode | Session | None = None,
    schema: Any = None,
    concurrency: int = 4,
    executor: Any = None,
    session: Kind = "fresh",
    budget: Budget | None = None,
    retry: int | Retry | None = None,
    resume: str | os.PathLike[str] | None = None,
    worktree: bool = False,
    on_result: OnResult | None = None,
    progress: bool = True,
    **options: Any,
) -> list[Any]:
    """Do what `map` does, without blocking the event loop; cancelling it stops the running turns.

    `ai` may also be an AsyncOpencode or AsyncSession of this loop. `on_result` may be async, and runs on this loop.
    Nobody is asked about what the policy leaves open, unless `person` is given.
    """
    given = {"schema": schema, "budget": budget, "retry": retry, **options}
    plan = _Plan(concurrency, executor, session, resume, worktree, progress, given)
    items = read(prompts, given)
    if not items:
        return []
    loop = asyncio.get_running_loop()
    async with _async_place(ai, plan) as place:
        with progress_bar(len(items), wanted=progress) as bar:

            async def tell(index: int, result: Any) -> None:
                bar.tell(isinstance(result, Exception))
                if on_result is not None:
                    await _on(loop, on_result, index, result)

            running = Stoppable(partial(_run, plan, items, place, tell))
            if isinstance(place.face, AsyncOpencode):
                return await running.run()
            return await _elsewhere(running)


async def _on(loop: asyncio.AbstractEventLoop, callback: OnResult, index: int, result: Any) -> None:
    """Call the user's function on the loop of whoever gave it."""
    if loop is asyncio.get_running_loop():
        await _called(callback, index, result)
    else:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_called(callback, index, result), loop))


async def _called(callback: OnResult, index: int, result: Any) -> None:
    answer = callback(index, result)
    if inspect.isawaitable(answer):
        await answer


async def _elsewhere(running: Stoppable[list[Any]]) -> list[Any]:
    """Run it on the package's own loop, as a blocking agent does; if cancelled, stop it and wait for that."""
    future = portal.start(running.run)
    try:
        return await asyncio.shield(asyncio.wrap_future(future))
    except asyncio.CancelledError:
        await asyncio.wrap_future(portal.start(running.stop))
        raise


@contextlib.asynccontextmanager
async def _async_place(ai: Any, plan: _Plan) -> AsyncIterator[_Place]:
    found = _given(ai) or _notebooks(plan.kind)
    if found is not None:
        yield found
        return
    async with AsyncOpencode() as own:
        yield _Place(own)
