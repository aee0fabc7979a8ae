"""Plays prompts and prints the forms of their turns: `player.py FILE DIRECTORY PROMPT...`.

Fails if anything connects to a network or starts a program.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FORBIDDEN = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.posix_spawn", "os.exec")


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Stop what a replay must not do."""
    if event in FORBIDDEN:
        raise RuntimeError(f"a replay did {event}{arguments}")


def main(file: str, directory: str, *prompts: str) -> None:
    """Play them in one session. `bare` are the forms without the lines that say that it is a replay."""
    import opencode_nb as oc
    from tests.recording.test_replay import attempt, forms

    with oc.replay(file, directory=Path(directory)) as replay:
        turns = [attempt(replay, prompt) for prompt in prompts]
        shown = [forms(turn) for turn in turns]
        for turn in turns:
            turn.state.replay.clear()
        bare = [forms(turn) for turn in turns]
    print(json.dumps([{"shown": one, "bare": other} for one, other in zip(shown, bare, strict=True)]))


sys.addaudithook(refuse)
main(*sys.argv[1:])
