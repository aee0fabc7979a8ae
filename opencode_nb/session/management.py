"""ManagedSession: the part of AsyncSession that starts no turns: its facts, history and undo."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opencode_nb.api.verifying import refuse_acts
from opencode_nb.changes.ledger import Own
from opencode_nb.changes.recorder import Images
from opencode_nb.errors import ConflictError, InternalServerError, OpencodeError
from opencode_nb.session.kernel import memory
from opencode_nb.session.kernel.offering import Offering
from opencode_nb.session.owner import Owner
from opencode_nb.session.requests import OpenRequests
from opencode_nb.session.turn import Turn
from opencode_nb.tools.privacy import Gate
from opencode_nb.tools.tool import Tool
from opencode_nb.transcript import usage
from opencode_nb.transcript.state import Json, TurnState
from opencode_nb.transcript.transcript import Transcript

if TYPE_CHECKING:
    from opencode_nb.changes import sources, undo_plan
    from opencode_nb.changes.diff import Diff
    from opencode_nb.changes.undo_result import Undone
    from opencode_nb.diffs.memory import KernelChanges

BUSY = "A turn is running in this session: wait for it to end, or stop it first."


class ManagedSession(OpenRequests):
    """A session's facts and history, and the operations on it that start no turn. `stop` stops one that runs."""

    def __init__(self, owner: Owner, transcript: Transcript, stop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__(owner, transcript)
        self._turns: dict[str, Turn] = {}
        self._images: Images | None = None
        self._copying: asyncio.Future[None] | None = None
        self._own = Own(self.id)
        self._offering = Offering(owner, transcript, stop)
        self.replayed: sources.Replayed | None = None
        self.known_secrets: Callable[[], Iterable[str]] = tuple
        """Returns secrets to mask in recordings, in addition to those in the environment."""
        self.memory: memory.Memory | None = None
        """The kernel's memory, which undo and redo restore too; None if the agent runs no code in this kernel."""

    # -- facts -----------------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """The session's title; the server generates one after the first prompt."""
        return str(self.transcript.info.get("title") or "")

    @property
    def server_version(self) -> str:
        """The version of the server that runs the session."""
        return self.owner.version

    @property
    def busy(self) -> bool:
        """Whether a turn is running."""
        return self.transcript.busy

    @property
    def shared_url(self) -> str:
        """The public link to the session, or "" if it is not shared."""
        return str((self.transcript.info.get("share") or {}).get("url") or "")

    @property
    def cost(self) -> float:
        """Total cost in USD, including undone turns but not sub-sessions."""
        cost = self.transcript.info.get("cost")
        return float(cost if cost is not None else sum(turn.cost for turn in self.turns()))

    @property
    def tokens(self) -> dict[str, int]:
        """Total tokens by kind: input, output, reasoning, cache_read, cache_write. Counts the same turns as `cost`."""
        return usage.flat(self.transcript.info.get("tokens"))

    async def context(self) -> usage.Context:
        """Return how full the model's context was after the last step."""
        return usage.context(self.transcript.visible_turns, await self.owner.windows())

    async def todos(self) -> list[Json]:
        """Return the agent's to-do list: `[{content, status, priority}]`."""
        return list(await self.owner.client.session.todo(self.id))

    async def children(self) -> list[Json]:
        """Return the sub-sessions, in the same form as `Opencode.sessions`."""
        return list(await self.owner.client.session.children(self.id))

    # -- tools -----------------------------------------------------------------------------------------------------

    def offer(self, tools: Iterable[Tool], gate: Gate | None = None, *, by: str = "") -> None:
        """Give the agent these tools of this process from the next prompt on; () takes them away.

        They replace those given before `by` the same. Results pass the `gate`, by default the session's own, at the
        user's privacy level. Not for subagents. Raises ValueError if two tools would have the same name.
        """
        self._offering.set(tools, gate, by=by)

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Show on its card how far the function is that the agent calls, and that this runs in: of `total`, if known.

        From any thread; shown a few times per second at most. Raises OpencodeError outside of such a call.
        """
        from opencode_nb.functions import calling

        calling.current("session.progress").progress(done, total, text)

    @property
    def tools_problem(self) -> str:
        """Why the agent does not get the tools that were offered, or ""; known once a prompt was sent."""
        return self._offering.problem

    async def withdraw(self) -> None:
        """Take the tools from the server, because this process lets go of the session."""
        await self._offering.withdraw()

    # -- its history -----------------------------------------------------------------------------------------------

    async def messages(self, *, limit: int | None = None, before: str | None = None) -> list[Json]:
        """Return messages as the server stores them: `[{info, parts}]`, oldest first, including undone ones.

        `limit` returns only the last ones, `before` (a message's id) only those before that one: pages, from the end,
        are `messages(limit=50)`, then `messages(limit=50, before=page[0]["info"]["id"])` until a page is empty.
        Raises OpencodeError if there is no such message.
        """
        if limit is not None and limit < 0:
            raise ValueError(f"limit={limit}: give a number of messages, or None for all.")
        if self.replayed is not None:
            from opencode_nb.recording.turns import as_json

            return [message for turn in self.transcript.turns.values() for message in as_json(turn)["messages"]]
        self.owner.need("messages")
        return await self.owner.feed.messages(self.id, limit, before)

    async def load_earlier(self) -> bool:
        """Load some earlier turns; return whether there are more."""
        await self.owner.feed.load_earlier(self.transcript)
        return self.transcript.has_earlier

    async def load_all(self) -> None:
        """Load all turns: a long session opens with only its latest ones."""
        while await self.load_earlier():
            pass

    async def _reach(self, message_id: str) -> None:
        """Load earlier turns until this message would be among them."""
        while self.transcript.has_earlier and self.transcript.turn_of(message_id) is None:
            await self.load_earlier()

    async def export(self, format: str = "md") -> str:
        """Return the whole session as text: "md", "html", "ipynb", or "json" (for `opencode import`).

        Raises ValueError for any other format.
        """
        from opencode_nb.session import export

        export.check(format)
        if format == "json":
            return export.as_json(self.transcript.info, await self.messages())
        await self.load_all()
        return export.as_text(format, self.title, self.turns())

    def turns(self) -> list[Turn]:
        """Return the loaded turns, oldest first, without undone ones; `load_all` loads the rest."""
        return [self.turn_for(state) for state in self.transcript.visible_turns]

    def turn_for(self, state: TurnState) -> Turn:
        """Return the Turn of a turn's state."""
        if state.id not in self._turns:
            done: Future[None] = Future()
            if state.ended:
                done.set_result(None)
            self._turns[state.id] = Turn(state, self, done)
        return self._turns[state.id]

    # -- its changes -----------------------------------------------------------------------------------------------

    async def diff(self) -> Diff:
        """Return what all turns of the session changed, one change per file, to review or revert.

        Excludes undone turns, and what others changed between turns.
        """
        await self.load_all()
        return await asyncio.to_thread(self.diff_of, self.transcript.visible_turns)

    def diff_of(self, turns: Sequence[TurnState]) -> Diff:
        """Return what these turns of the session changed. Blocking."""
        from opencode_nb.changes import sources
        from opencode_nb.changes.diff import Diff

        return Diff(*sources.of_turns(turns, self.place), cells=memory.TurnCells.of(self.memory, turns))

    @property
    def place(self) -> sources.Place:
        """Where to look for the session's changes."""
        from opencode_nb.changes import sources

        project = str(self.transcript.info.get("projectID") or "")
        turns = [] if self.transcript.has_earlier else self.transcript.visible_turns
        known, images = [*self.transcript.turns.values()], self._watching
        return sources.Place(
            self.id, self.directory, project, turns, known, images, self._own, self.owner.environment, self.replayed
        )

    @property
    def _watching(self) -> Images:
        """The record of the session's files before and after its tools changed them."""
        if self._images is None:
            self._images = Images(self.id, self.directory)
        return self._images

    def _watch(self, state: TurnState) -> None:
        self._watching.observe(state)
        if self._watching.is_write_coming(state):
            self._copy_ahead()

    def _copy_ahead(self) -> None:
        """Copy files that git does not record before a tool can overwrite them; one scan at a time."""
        if self._copying is None or self._copying.done():
            self._copying = asyncio.get_running_loop().run_in_executor(None, self._watching.copies.take)

    def note_kernel(self, turn_id: str, changes: KernelChanges) -> None:
        """Keep with a turn what its code has changed in the kernel so far, for its diff and its views."""
        self.owner.feed.tell(self.id, "kernel", messageID=turn_id, changes=changes.as_json())

    async def _settle(self, state: TurnState) -> None:
        """Take over into the open notebook what an ended turn wrote to its file, and warn of what stays apart."""
        began = (((state.prompt.info if state.prompt else {}).get("time") or {}).get("created") or 0) / 1000
        if self.memory is None or not any(part.get("type") == "tool" for part in state.parts):
            return
        told = ""
        with contextlib.suppress(OpencodeError, OSError):  # a diff that cannot be read must not fail the turn
            told = await self.memory.take_over(state.id, began, lambda: asyncio.to_thread(self.diff_of, [state]))
        if told:
            self.owner.feed.tell(self.id, "warned", messageID=state.id, text=told)

    # -- undo and redo ---------------------------------------------------------------------------------------------

    async def revert(self, to: Turn | str | None = None, *, force: bool = False) -> Undone:
        """Undo this turn (by default the last) and all later ones, including their file changes.

        If the turn is already undone, redo the undone turns before it. Restores only files that the turns changed,
        from the server's snapshots, if it takes any, and from what the tools report; and in this kernel, what the
        agent's code changed, but for what the user changed since.
        Raises OpencodeError if there is no such turn or one is running; DiffConflictError, having changed nothing, if
        somebody has edited one of the files since. `force=True` overwrites those edits; the warning names the copy.
        """
        refuse_acts(playing=self.owner.recording)
        self.owner.need("undo")
        message_id = await self._turn_id(to)
        undoing = self.transcript.turns_from(message_id)
        redoing = [turn for turn in self.transcript.undone_turns if turn not in undoing]
        api = self.owner.client.session
        return await self._restore(lambda: api.revert(self.id, messageID=message_id), undoing, redoing, force=force)

    async def unrevert(self, *, force: bool = False) -> Undone:
        """Redo everything that is undone; possible until the next prompt. Raises OpencodeError if nothing is undone.

        Restores the turns' files to their state before the undo, and no others. Also raises as `revert` does.
        """
        refuse_acts(playing=self.owner.recording)
        self.owner.need("redo")
        reverted = self.transcript.info.get("revert")
        if not reverted:
            raise OpencodeError("There is nothing to redo: undone turns can be redone only until the next prompt.")
        await self._reach(str(reverted.get("messageID")))
        api = self.owner.client.session
        undone = self.transcript.undone_turns
        return await self._restore(lambda: api.unrevert(self.id), [], undone, force=force)

    async def redo(self, *, force: bool = False) -> Undone:
        """Redo the first turn that is undone. Raises as `unrevert` does."""
        first = next(iter(self.transcript.undone_turns), None)
        following = self.transcript.undone_after(first.id) if first else None
        return await (self.revert(following, force=force) if following else self.unrevert(force=force))

    async def _restore(
        self, send: Callable[[], Awaitable[Json]], undoing: list[TurnState], redoing: list[TurnState], *, force: bool
    ) -> Undone:
        """Have the server change the conversation; back up the files before that, and restore them after."""
        from opencode_nb.changes import undo_plan, undo_result

        reverted, place = self.transcript.info.get("revert") or {}, self.place
        plan = await asyncio.to_thread(undo_plan.make, undoing, redoing, place, reverted=reverted, force=force)
        await asyncio.to_thread(plan.keep)
        message_id = undoing[0].id if undoing else ""
        # cancelling the wait must not leave the files half restored
        failed = await asyncio.shield(asyncio.create_task(self._carry_out(plan, send, message_id, first=not reverted)))
        kernel = await memory.restore(self.memory, undoing, redoing)
        undone = self.transcript.undone_turns
        result = await asyncio.to_thread(undo_result.outcome, undone, undoing or redoing, plan, failed, place)
        return replace(result, kernel=kernel)

    async def _carry_out(
        self, plan: undo_plan.Plan, send: Callable[[], Awaitable[Json]], message_id: str, *, first: bool
    ) -> dict[str, str]:
        """Have the server do it, then write the files as planned; return why some could not be, by path."""
        try:
            info = dict(await send())
        except ConflictError as error:
            raise OpencodeError(BUSY) from error
        except OpencodeError:  # the server may have stopped halfway
            await asyncio.to_thread(plan.take_back)
            raise
        if ((info.get("revert") or {}).get("messageID") or "") != message_id:
            await asyncio.to_thread(plan.take_back)
            raise OpencodeError("The server changed nothing: the session no longer has this message.")
        self._learn(info)
        if message_id:
            from opencode_nb.changes import undo_record

            sides = {path: goal.now for path, goal in plan.goals.items()}
            await asyncio.to_thread(undo_record.note, self.id, sides, first=first)
        return await asyncio.to_thread(plan.carry_out)

    async def _turn_id(self, to: Turn | str | None) -> str:
        """Return the id of the turn to undo. The server would accept an unknown id: it answers 200 and does nothing."""
        if to is None:
            turns = self.transcript.visible_turns
            if not turns:
                raise OpencodeError("There is nothing to undo in this session.")
            return turns[-1].id
        message_id = to if isinstance(to, str) else to.id
        await self._reach(message_id)
        turn = self.transcript.turn_of(message_id)
        if turn is None:
            raise OpencodeError("There is no such turn in this session: nothing was changed.")
        return turn.id

    @property
    def directory(self) -> Path:
        """The directory that the session's agent works in."""
        return Path(str(self.transcript.info.get("directory") or self.owner.directory))

    # -- the session as a whole --------------------------------------------------------------------------------------

    def choose(self, **choice: Any) -> None:
        """Set the default `model`, `agent`, `variant`, `effort` or `permission` for prompts; notify the subscribers."""
        for name, value in choice.items():
            setattr(self, name, value)
        self._learn(self.transcript.info)

    async def rename(self, title: str) -> None:
        """Change the title."""
        self._learn(dict(await self.owner.client.session.update(self.id, title=title)))

    async def share(self) -> str:
        """Publish the session on OpenCode's website and return the link: anyone who has it can read the whole session.

        Raises OpencodeError if sharing is disabled or fails.
        """
        self.owner.need("share")
        if not await self.owner.can_share():
            raise OpencodeError("Sharing is disabled in OpenCode's configuration (share: disabled).")
        try:
            self._learn(dict(await self.owner.client.session.share(self.id)))
        except InternalServerError as error:  # offline, or disabled in its environment: it does not say which
            raise OpencodeError("The session could not be shared. Check the server's log.") from error
        if not self.shared_url:
            raise OpencodeError("The server returned no link: the session is not shared.")
        return self.shared_url

    async def unshare(self) -> None:
        """Remove the published copy. Raises OpencodeError if it is still there."""
        self._learn(dict(await self.owner.client.session.unshare(self.id)))
        if self.shared_url:
            raise OpencodeError("The server still shares the session. Check its log.")

    def _learn(self, info: Json) -> None:
        self.owner.feed.apply({"type": "session.updated", "properties": {"info": info}})
