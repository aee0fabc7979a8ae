"""What is known of a connection's failures, with the real server behind a network that can be cut."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import opencode_nb as oc
from opencode_nb.server import Server
from tests.support.proxy import Proxy

WAIT = 30


def test_health_counts_failures_until_the_connection_works_again(server: Server, project: Path) -> None:
    proxy = Proxy(urlsplit(server.url).port or 0)
    url = f"http://127.0.0.1:{proxy.port}"
    with closing(proxy), closing(oc.Opencode(base_url=url, password=server.password, directory=project)) as ai:
        assert (ai.health.degraded, ai.health.failures, ai.health.last_failure) == (False, 0, None)
        proxy.cut()
        with pytest.raises(oc.OpencodeError) as refused:
            ai.start()
        assert (ai.health.degraded, ai.health.failures, ai.health.last_error) == (True, 1, str(refused.value))

        proxy.mend()
        session = ai.session()
        assert (ai.health.degraded, ai.health.failures, ai.health.consecutive_failures) == (False, 1, 0)
        lost = ai.health.last_failure
        assert lost is not None
        assert lost <= datetime.now(UTC)

        changed = threading.Event()
        session.subscribe(lambda change: changed.set() if change.kind == "connection" else None)
        proxy.cut()
        assert changed.wait(WAIT)
        assert (ai.health.degraded, ai.health.failures, ai.health.consecutive_failures) == (True, 2, 1)
        changed.clear()
        proxy.mend()
        assert changed.wait(WAIT)
        assert (ai.health.degraded, ai.health.failures, ai.health.consecutive_failures) == (False, 2, 0)
