"""Answer permission requests in turns that other clients started."""

from __future__ import annotations

import contextlib

from opencode_nb.errors import OpencodeError
from opencode_nb.session.owner import Owner
from opencode_nb.session.permissions.session_rules import covered
from opencode_nb.transcript.state import BY_APPROVAL, Json


async def allow(owner: Owner, session_id: str, request: Json) -> None:
    """Allow a request that an earlier "always" covers, unless the policy denies it or a hook may refuse it."""
    if covered(str(request.get("permission")), owner.hooks.hooks.guarded):
        return  # leave it to the client that sent the turn
    answer = await owner.policy.decide(request, owner.enforcement.place)
    if answer is not None and answer.reply == "reject":
        return
    owner.feed.tell(session_id, "decided", request=request, reply="once", by=BY_APPROVAL)
    with contextlib.suppress(OpencodeError):  # already answered by the client that started the turn
        await owner.client.permission.reply(request["id"], reply="once")
