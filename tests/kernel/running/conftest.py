"""A real IPython shell in this process, whose main thread serves jobs as a waiting %%prompt does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from opencode_nb import portal
from opencode_nb.kernel.running.execution import Ran
from opencode_nb.kernel.running.runner import Runner
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.tools.privacy import Level, Outgoing


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A shell without extensions."""
    config = Config()
    config.HistoryManager.enabled = False
    HistoryManager.outputs.clear()  # all shells of a process have the same
    yield InteractiveShell.instance(config=config, colors="nocolor")
    InteractiveShell.clear_instance()


@pytest.fixture
def runner(shell: InteractiveShell) -> Iterator[Runner]:
    runner = Runner(shell)
    yield runner
    runner.history.close()


Waiting = Callable[[Callable[[], object]], object]


def served(work: Callable[[], Future[Ran]]) -> Ran:
    """Start work on the loop, serve this thread's jobs until it is done, and return what it came to."""
    done: Future[None] = Future()
    future = work()
    future.add_done_callback(lambda _future: done.set_result(None))
    Jobs().serve_until(done)
    return future.result()


@pytest.fixture
def run(runner: Runner) -> Callable[..., Ran]:
    """Run the agent's code as a waiting %%prompt does: `run("1 + 1").outgoing`."""
    return lambda code, **options: served(lambda: portal.start(runner.run, code, **options))


def told(outgoing: Outgoing, level: Level = Level.FULL) -> str:
    """Return the text that this level lets through."""
    return "".join(piece.text for piece in outgoing.pieces if piece.level <= level)
