"""Expected: the result that one turn is to give, by the result tool or in its text. Accepts, asks again once, ends it.

The tool's first wrong call is answered with what is wrong, and the turn goes on. A text comes with the turn's end: the
correction is then a prompt of its own that continues the turn. A second wrong answer fails the turn.
"""

from __future__ import annotations

import asyncio
import logging

from opencode_nb.errors import OpencodeError
from opencode_nb.results import answer, asking
from opencode_nb.results.schema import MismatchError, Schema
from opencode_nb.session.kernel.offering import Offering
from opencode_nb.session.turn import expect
from opencode_nb.session.turns.run import Run
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.names import RESULT
from opencode_nb.tools.privacy import Gate, Level, Outgoing
from opencode_nb.tools.tool import Call, Json, Result
from opencode_nb.transcript.results import ACCEPTED, is_result
from opencode_nb.transcript.state import Message, TurnState
from opencode_nb.transcript.transcript import Transcript

log = logging.getLogger("opencode_nb")

CORRECTIONS = 1
"""How often a wrong answer may be corrected."""

CORRECT_TIMEOUT = 30.0
"""Seconds for the model to begin with a correction, once the server has it."""


class Expected:
    """The result that one turn is to give. `offer` before the turn is sent, then `follow` its run.

    What is wrong with an answer passes the `gate`.
    """

    def __init__(self, schema: Schema, transcript: Transcript, offering: Offering, gate: Gate) -> None:
        self._schema, self._transcript, self._offering, self._gate = schema, transcript, offering, gate
        self._tool = asking.result_tool(schema, self._call)
        self._left = CORRECTIONS
        self._run: Run | None = None
        self._judged = ""  # the step whose text was judged
        self._over = False  # whether a call has decided the turn
        self._ending = False

    # -- before the turn -----------------------------------------------------------------------------------------------

    def offer(self) -> None:
        """Offer the result tool with the next prompt. Raises OpencodeError if another prompt's is offered still."""
        if self._offering.offers(RESULT):
            raise OpencodeError(_TAKEN)
        self._offering.set([self._tool], Gate(Level.NONE, Ledger()), by=RESULT)  # it answers with nothing of the user's

    @property
    def instructions(self) -> str:
        """How the model is to answer, once it is known whether it gets the tool."""
        return asking.instructions(self._schema, self._offering.full_name(RESULT))

    def withdraw(self) -> None:
        """Offer the tool no more."""
        self._offering.set((), None, by=RESULT)

    def follow(self, run: Run) -> None:
        """Wait for the result of this run's turn."""
        self._run, run.expected = run, self
        expect(run.turn, self._schema)
        run.tell("expected")

    # -- while it runs -------------------------------------------------------------------------------------------------

    async def _call(self, call: Call) -> Result:
        run = self._run
        if run is None or call.turn != run.turn.id:
            return asking.told("This tool is not for this prompt: answer in the text.", failed=True)
        if self._over:
            return asking.told("There is a result already: stop here.", failed=True)
        try:
            await asyncio.to_thread(self._schema.read, call.arguments)  # validators are the user's code
        except MismatchError as error:
            return self._refused(run, error)
        self._over = True
        return asking.told(ACCEPTED)

    def _refused(self, run: Run, error: MismatchError) -> Result:
        why = self._gated(error)
        if self._left:
            self._left -= 1
            return asking.told(f"Not accepted: {why}. Correct the arguments, and call it again.", failed=True)
        self._over = True
        run.tell("stopping", error=answer.mismatch(error))
        return asking.told(f"Not accepted: {why}. The turn ends here.", failed=True)

    def _gated(self, error: MismatchError) -> str:
        """Return what the model may know of what is wrong: validators may quote the user's data."""
        return self._gate.let(Outgoing(RESULT, error.told), by=RESULT).text

    def changed(self) -> None:
        """End the turn once its result is decided."""
        if self._over and not self._ending and self._run is not None and _is_settled(self._run.turn.state):
            self._ending = True
            self._run.spawn(self._run.stop_decided())  # at once: the server is about to ask the model again

    def rested(self) -> None:
        """Judge the text of a turn that has come to its end without a call of the tool."""
        run = self._run
        if run is None or not self._transcript.is_due(run.turn.state):
            return
        step = next(reversed(run.turn.state.steps))
        if step != self._judged:
            self._judged = step
            run.spawn(self._judge(run))

    async def _judge(self, run: Run) -> None:
        try:
            await self._judge_text(run)
        except Exception as error:  # of anything: the turn must end
            log.warning("The answer could not be judged", exc_info=True)
            if not run.turn.state.ended:
                run.tell("failed", error=answer.unread(error, run.turn.state))

    async def _judge_text(self, run: Run) -> None:
        try:
            await asyncio.to_thread(answer.read, self._schema, run.turn.state)
        except MismatchError as error:
            if not self._left or _was_stopped(run.turn.state) or not await self._corrected(run, error):
                run.tell("failed", error=answer.mismatch(error))
        else:
            run.tell("noted")

    async def _corrected(self, run: Run, error: MismatchError) -> bool:
        """Ask for the answer again; return whether the model began with it, or the turn was ended meanwhile."""
        self._left -= 1
        state, begun = run.turn.state, len(_answers(run.turn.state))
        text = asking.correction(self._gated(error), self._offering.full_name(RESULT))
        try:
            await run.say_more([{"type": "text", "synthetic": True, "text": text}])
        except OpencodeError:
            return state.ended
        await run.until(lambda: state.ended or len(_answers(state)) > begun, CORRECT_TIMEOUT)
        return state.ended or len(_answers(state)) > begun


_TAKEN = (
    "The agent has a tool `result` already: a prompt with a schema runs in this session. Wait until it has ended, or "
    "use another session. (A tool of your own with this name: rename it.)"
)


def _answers(turn: TurnState) -> list[Message]:
    return [step for step in turn.steps.values() if step.info.get("role") == "assistant"]


def _was_stopped(turn: TurnState) -> bool:
    """Whether somebody refused a tool, or stopped the turn elsewhere: a correction would go on against their will."""
    return _answers(turn)[-1].info.get("finish") == "tool-calls"


def _deciding(turn: TurnState) -> list[Json]:
    """Return the parts of the last step that called the result tool."""
    steps = (list(step.parts.values()) for step in reversed(turn.steps.values()))
    return next((parts for parts in steps if any(map(is_result, parts))), [])


def _is_settled(turn: TurnState) -> bool:
    """Whether that step's calls have all ended: an edit beside the result is not cut off."""
    calls = [part for part in _deciding(turn) if part.get("type") == "tool"]
    return bool(calls) and all((call.get("state") or {}).get("status") not in ("pending", "running") for call in calls)
