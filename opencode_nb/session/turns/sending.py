"""Sender: sends what starts a session's turns, with the turn's options resolved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from opencode_nb.api.verifying import refuse_acts
from opencode_nb.diffs.comment import Comment
from opencode_nb.session.hooks.answering import Answering
from opencode_nb.session.kernel.offering import Offering
from opencode_nb.session.models import split_model
from opencode_nb.session.permissions import agent_code
from opencode_nb.session.permissions.policy import Person, Policy
from opencode_nb.session.permissions.responder import Responder
from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.session.turn import Turn, expect
from opencode_nb.session.turns.options import Beginning, Choices, TurnOptions, retry_of, with_schema
from opencode_nb.session.turns.run import Limits, Run
from opencode_nb.session.turns.running import Running
from opencode_nb.session.turns.submission import Submission
from opencode_nb.transcript import ids
from opencode_nb.transcript.state import Json, TurnState

if TYPE_CHECKING:
    from opencode_nb.session.recorded.playing import Playable
    from opencode_nb.session.recorded.recorder import Recordable, Recorder

    class Sendable(Choices, Playable, Recordable, Protocol):
        """A session that turns are sent in."""

        comments: list[Comment]

        def turn_for(self, state: TurnState) -> Turn:
            """Return the Turn of a turn's state."""


class Sender:
    """Sends prompts, slash commands and shell commands, and returns their Turns without waiting for them.

    `starting` is called before each turn that the agent may change files in, `settle` when it has ended.
    """

    def __init__(
        self,
        session: Sendable,
        offering: Offering,
        running: Running,
        starting: Callable[[], None],
        settle: Callable[[TurnState], Awaitable[None]],
    ) -> None:
        self._session, self._owner, self._transcript = session, session.owner, session.transcript
        self._offering, self._running, self._starting, self._settle = offering, running, starting, settle
        self._answering = Answering(self._owner, self._transcript, offering, session.turn_for)

    async def prompt(self, submission: Submission, options: TurnOptions) -> Turn:
        """Send a prompt; the first time with the comments on lines of a diff, after the hooks that may change it."""
        retry_of(options, None, waits=False)
        begun = await self._beginning(options)
        if submission.no_reply and begun.schema:
            raise ValueError("no_reply= asks no model, so that nothing answers: leave out schema=.")
        if submission.parts is not None:
            return await self._try(submission, submission.parts, begun)
        session, parts = self._session, await submission.make()
        comments, session.comments[:] = list(session.comments), []  # cleared before the feed announces the prompt
        parts = [*parts, *({"type": "text", "text": comment.prompt} for comment in comments)]
        try:
            parts = await self._owner.hooks.submitted_parts(session.id, parts)
            turn = await self._try(submission, parts, begun)
        except BaseException:
            session.comments[:0] = comments  # keep them for the next prompt
            raise
        submission.parts = parts
        return turn

    async def _try(self, submission: Submission, parts: list[Json], begun: Beginning) -> Turn:
        if begun.replay is not None:
            return await self._play(parts, begun)
        if submission.recorder is None:
            submission.recorder = await self._recorder(begun, parts)
        body = await begun.body(parts=parts, system=submission.system, noReply=submission.no_reply or None)
        run = self._begin(body["messageID"], begun.policy, begun.person, begun.limits)
        run.keep = submission.recorder.keep if submission.recorder else None
        if begun.expected:
            begun.expected.follow(run)
        await run.send(body, submission.no_reply)
        return run.turn

    async def command(self, name: str, arguments: str, files: Iterable[Any], options: TurnOptions) -> Turn:
        """Send a slash command. Raises OpencodeError if there is no such command."""
        retry_of(options, None, waits=False)
        prompt_parts.check_text(name, "A command's name")
        prompt_parts.check_text(arguments, "A command's argument text")
        attached = await prompt_parts.file_parts(files, self._owner.directory)
        begun = await self._beginning(options)
        asked: list[Json] = [{"type": "text", "text": f"/{name.removeprefix('/')} {arguments}".strip()}, *attached]
        await self._owner.hooks.submitted_parts(self._session.id, asked, fixed=True)
        if begun.replay is not None:
            return await self._play(asked, begun)
        known = await self._owner.command(name)
        recorder = await self._recorder(begun, asked)
        fields = {"command": known["name"], "arguments": arguments, "parts": attached or None}
        body = await begun.body(acting=known, **fields)
        if chosen := body.get("model"):
            body["model"] = f"{chosen['providerID']}/{chosen['modelID']}"
        run = self._begin(body["messageID"], begun.policy, begun.person, begun.limits)
        run.keep = recorder.keep if recorder else None
        if begun.expected:
            begun.expected.follow(run)
        await run.follow(self._owner.client.session.command(self._session.id, **body))
        return run.turn

    async def shell(self, command: str, timeout: float | None) -> Turn:
        """Send a shell command, which asks nobody."""
        session, owner = self._session, self._owner
        agent = session.agent or self._transcript.info.get("agent") or await owner.default_agent()
        model = (await owner.model_choice(session.model)).model if session.model else None
        chosen = dict(zip(("providerID", "modelID"), split_model(model), strict=True)) if model else None
        body: Json = {
            "messageID": ids.message_id(*self._transcript.last_ids),
            "agent": agent,
            "model": chosen,
            "command": command,
        }
        limited = Limits(timeout or owner.timeout, ())
        run = self._begin(body["messageID"], session.policy or owner.policy, None, limited)
        await run.follow(owner.client.session.shell(session.id, **body), asks=False)
        return run.turn

    async def unmet_effort(self, options: TurnOptions) -> str:
        """Say, once for each model, that a prompt's effort has no effect on its model; "" otherwise."""
        return await (await self._beginning(options)).unmet_effort()

    async def _beginning(self, options: TurnOptions) -> Beginning:
        agent_code.refuse_waiting(self._session.id)
        begun = Beginning(self._session, self._owner, await with_schema(options), self._offering)
        refuse_acts(playing=begun.replay)
        return begun

    async def _recorder(self, begun: Beginning, parts: list[Json]) -> Recorder | None:
        """Return what records the turn, if it is to be recorded."""
        if begun.record is None:
            return None
        from opencode_nb.session.recorded.recorder import Recorder

        return await Recorder.of(self._session, begun.record, parts)

    async def _play(self, parts: list[Json], begun: Beginning) -> Turn:
        """Play the recorded turn: here in a session of a replay, else in one of its own."""
        from opencode_nb.session.recorded.playing import play

        assert begun.replay is not None
        here = self._owner.recording is begun.replay
        player: Playable = self._session if here else await self._owner.player(begun.replay.path)
        turn = await play(player, begun.replay, parts, begun.policy)
        if begun.schema:
            expect(turn, begun.schema)
        return turn

    def _begin(self, message_id: str, policy: Policy, person: Person | None, limits: Limits) -> Run:
        feed, owner = self._owner.feed, self._owner
        owner.use(self._session)
        feed.tell(self._session.id, "prompted", messageID=message_id)
        self._starting()
        state = self._transcript.turns[message_id]
        responder = Responder(feed.client, feed.tell, state, self._answering.of(state, policy, person))
        turn = self._session.turn_for(state)
        run = Run(turn, self._transcript, feed, responder, limits, self._running.stops)
        run.settle = self._settle
        self._running.add(run)
        return run
