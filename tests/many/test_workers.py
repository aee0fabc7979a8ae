"""Prompts in the workers of executors, which have servers of their own: none is left behind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client, LocalCluster

import opencode_nb as oc
from opencode_nb.demo import DemoModel, gate, text
from opencode_nb.many import workers
from opencode_nb.tools import privacy
from tests.support import isolation

START = 120  # seconds until two workers have a server and have sent a prompt, on however busy a machine
GONE = 30  # seconds for a worker's server to end


@pytest.fixture
def ai(opencode_program: Path, demo_model: DemoModel, place: Path) -> Iterator[oc.Opencode]:
    """An agent that is not started here: only its options are used."""
    ai = oc.Opencode(
        config=demo_model.config(), binary=opencode_program, directory=place, permission="deny", password="not-sent"
    )
    yield ai
    assert not ai.started


@pytest.fixture
def no_tracker_stays() -> Iterator[None]:
    """End the process that `multiprocessing` keeps beside this one once a cluster was started: it counts as left."""
    yield
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


def servers() -> set[psutil.Process]:
    """Return the servers that this run has started, wherever below it."""
    return {process for process in psutil.process_iter() if _is_server(process)}


def _is_server(process: psutil.Process) -> bool:
    try:
        return "serve" in process.cmdline() and process.environ().get(isolation.MARK) == os.environ[isolation.MARK]
    except psutil.Error:  # ended meanwhile, or another user's
        return False


def all_gone(processes: set[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(list(processes), timeout=GONE)
    return not alive


def test_a_cluster_answers_all_even_if_a_worker_is_killed(
    no_tracker_stays: None, ai: oc.Opencode, demo_model: DemoModel
) -> None:
    before = servers()
    demo_model.queue(*([gate("all"), text("answered")] for _ in range(2)), *([text("answered")] for _ in range(6)))

    def kill_one(cluster: Client) -> None:
        demo_model.wait_for_request(2, START)
        os.kill(next(iter(cluster.run(os.getpid).values())), signal.SIGKILL)
        demo_model.release("all")

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as local,
        Client(local) as cluster,
    ):
        threading.Thread(target=kill_one, args=(cluster,)).start()
        results = oc.map([f"prompt {number}" for number in range(7)], ai=ai, executor=cluster, concurrency=2)
        assert [getattr(result, "text", result) for result in results] == ["answered"] * 7
        used = servers() - before
        assert used
        assert not any("not-sent" in str(process.environ()) for process in used)
    assert [turn.prompt for turn in results] == [f"prompt {number}" for number in range(7)]
    assert all_gone(used)


def test_threads_share_a_server_that_ends_with_the_map(ai: oc.Opencode, demo_model: DemoModel) -> None:
    before = servers()
    budget = oc.Budget(max_steps=10)
    prompts = ["Say exactly: one", "Fail with a provider error 400"]
    with ThreadPoolExecutor(2) as pool:
        one, failed = oc.map(prompts, ai=ai, executor=pool, budget=budget)
    assert (one.text, failed.turn.prompt) == ("one", prompts[1])
    assert isinstance(failed, oc.TurnError)
    assert (budget.steps, list(workers._servers)) == (1, [])
    assert all_gone(servers() - before)


class Elsewhere(ThreadPoolExecutor):
    """Workers that have no privacy level of their own, as another process has none."""

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        privacy.set_defaults()
        return super().submit(*args, **kwargs)


def secret_number() -> int:
    """Return the secret number."""
    return 42


def test_workers_keep_the_privacy_level_of_whoever_sends_the_work(
    opencode_program: Path, demo_model: DemoModel, place: Path
) -> None:
    options = {"config": demo_model.config(), "binary": opencode_program, "directory": place}
    ai = oc.Opencode(**options, tools=[secret_number])
    privacy.set_defaults(lambda: privacy.Level.NONE)
    with Elsewhere(1) as pool:
        (turn,) = oc.map(["Say exactly: one"], ai=ai, executor=pool)
    assert turn.text == "one"
    offered = [tool["function"]["name"] for request in demo_model.requests for tool in request.get("tools") or ()]
    assert offered
    assert not [name for name in offered if "secret_number" in name]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"base_url": "http://127.0.0.1:1"}, r"without base_url="),
        ({"permission": lambda request: "once"}, r"permission= cannot be sent"),
    ],
)
def test_what_workers_cannot_have_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says), ThreadPoolExecutor(1) as pool:
        oc.map(["a"], ai=oc.Opencode(**options), executor=pool)


def test_an_error_that_cannot_be_sent_is_told_in_words() -> None:
    class OnlyHere(Exception):
        pass

    assert str(workers._sendable(OnlyHere("gone"))) == "OnlyHere: gone"
