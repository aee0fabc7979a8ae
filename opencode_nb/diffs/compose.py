"""Combine the changes of several turns into one per file, from before the first turn to after the last.

Changes that others made between two turns (the user, another session, a revert) are excluded: they are carried back
through the turns to both sides, so that reverting everything keeps them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from opencode_nb.diffs import edits
from opencode_nb.diffs.change import LINK, SUBMODULE, Change, Side, known
from opencode_nb.diffs.renames import detect
from opencode_nb.diffs.text import decode, encode, is_binary

MIXED = (
    "others changed the same lines between two turns, so the file without this session's changes is unknown. "
    "Review the turns one by one: turn.diff()."
)
"""Why a file of a session has no single change that can be reverted."""


def compose(
    turns: Iterable[Sequence[Change]], is_own: Callable[[str, Side | None], bool] | None = None
) -> list[Change]:
    """Return one change for each file that differs, given the changes of turns in order.

    `is_own(path, state)` tells whether only the turns and their reverts contributed to a state between them.
    """
    layers: dict[str, list[Change]] = {}
    for change in itertools.chain.from_iterable(turns):
        for single in singles(change):
            layers.setdefault(single.path, []).append(single)
    return detect(whole for path in layers if (whole := _composed(layers[path], is_own and partial(is_own, path))))


def singles(change: Change) -> list[Change]:
    """Split a rename into what it is on disk: one deleted file and one added file."""
    if not change.old_path:
        return [change]
    new = replace(change, old_path="", similarity=None, before=None, additions=None, deletions=None)
    old = replace(
        change, path=change.old_path, old_path="", similarity=None, after=None, additions=None, deletions=None
    )
    return [old, new]


_IsOwn = Callable[[Side | None], bool] | None


def _composed(layers: Sequence[Change], is_own: _IsOwn) -> Change | None:
    """Combine one file's changes into one; None if they cancel out."""
    if len(layers) == 1:
        return layers[0]
    if vague := next((layer for layer in reversed(layers) if layer.unknown), None):
        whole = replace(vague, patch="".join(layer.patch for layer in layers), additions=None, deletions=None)
        return replace(whole, certain=_are_certain(layers))
    after = layers[-1].after
    carried = _carried(layers[:-1], layers[-1].before, is_own)
    if carried is None:
        return Change(layers[0].path, layers[0].before, after, unknown=MIXED, certain=False)
    (before,) = carried
    after = _with_reverted(layers, is_own)
    if _same(before, after):
        return None
    certain, explained = _are_certain(layers), partial(_are_explained, layers)
    return Change(layers[0].path, before, after, is_own=is_own, certain=certain, explained=explained)


def _are_explained(layers: Sequence[Change]) -> bool:
    return all(layer.explained is None or layer.explained() for layer in layers)


def _are_certain(layers: Iterable[Change]) -> bool:
    return all(layer.certain for layer in layers)


def _carried(layers: Sequence[Change], later: Side | None, is_own: _IsOwn) -> tuple[Side | None] | None:
    """Remove the changes of these turns from a later state of a file; None if that is impossible to tell."""
    for layer in reversed(layers):
        found = (layer.before,) if is_own and is_own(later) else _without(layer, later)
        if found is None:
            return None
        (later,) = found
    return (later,)


def _same(one: Side | None, other: Side | None) -> bool:
    return one is other if one is None or other is None else one.same(other)


def _without(layer: Change, later: Side | None) -> tuple[Side | None] | None:
    """Remove one turn's change from a later state of a file; None if that is impossible to tell."""
    if _same(later, layer.after) or _same(later, layer.before):
        return (layer.before,)
    texts = [_text(side) for side in (layer.before, layer.after, later)]
    if layer.before is None or later is None or any(text is None for text in texts):
        return None
    before, after, now = (text or "" for text in texts)
    mode = layer.before.mode if layer.after and layer.after.mode == later.mode else later.mode
    if edits.reverted(before, after, now) is not None:
        return (replace(layer.before, mode=mode),)
    rest = edits.merged(after, before, now)
    return None if rest is None else (known(encode(rest), mode),)


def _with_reverted(layers: Sequence[Change], is_own: _IsOwn) -> Side | None:
    """Return the last state plus everything reverted on the way that can be restored: it shows as reverted."""
    before, full = layers[0].before, layers[0].after
    for count, following in enumerate(layers[1:], 1):
        if not _same(full, following.before) and _is_part(before, full, following.before):
            full = _onto(full, following)
        else:
            (before,) = _carried(layers[:count], following.before, is_own) or (before,)
            full = following.after
    last = layers[-1].after
    return full if _is_part(before, full, last) else last


def _is_part(before: Side | None, full: Side | None, now: Side | None) -> bool:
    """Return whether `now` is the full state with only some of its changes reverted."""
    texts = [_text(side) for side in (before, full, now)]
    return None not in texts and edits.reverted(*(text or "" for text in texts)) is not None


def _onto(full: Side | None, layer: Change) -> Side | None:
    """Apply a turn's change to a state that includes what was reverted before it, else return the turn's own state."""
    texts = [_text(side) for side in (layer.before, full, layer.after)]
    if layer.after is None or None in texts:
        return layer.after
    both = edits.merged(*(text or "" for text in texts))
    return layer.after if both is None else known(encode(both), layer.after.mode)


def _text(side: Side | None) -> str | None:
    """Return a file's text; None if there is nothing to merge: binary, a link, a submodule, no file."""
    if side is None or side.mode in (LINK, SUBMODULE) or is_binary(side.read()):
        return None
    return decode(side.read())
