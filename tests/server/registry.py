"""A package registry on loopback that does on demand what the real one does not: break off, refuse, lie."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opencode_nb.server.platforms import platform_packages

LAUNCHER = "opencode-ai"


def tarball(version: str, size: int = 0, entries: Mapping[str, bytes | Path] | None = None) -> bytes:
    """Build a platform's package, whose program prints its version and has `size` incompressible bytes appended.

    `entries`: additional or replacement entries; a path makes a link to it.
    """
    package = {"name": platform_packages()[0], "version": version}
    files: dict[str, bytes | Path] = {
        "package/package.json": json.dumps(package).encode(),
        "package/bin/opencode": f"#!/bin/sh\necho {version}\nexit\n".encode() + os.urandom(size),
        **(entries or {}),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, Path):
                info.type, info.linkname = tarfile.SYMTYPE, str(content)
                archive.addfile(info)
            else:
                info.size, info.mode = len(content), 0o755
                archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@dataclass
class Registry:
    """The registry's content, its faults, and the requests it received.

    `break_after`: bytes of a tarball to send before dropping the connection; each response uses the first one.
    `holds`: pause after the first half of a tarball, setting `half_sent`, until `go_on` is set.
    `piece`: bytes of a tarball to send at a time.
    `token`: required to get a tarball.
    """

    versions: dict[str, bytes] = field(default_factory=dict, repr=False)
    tags: dict[str, str] = field(default_factory=dict)
    break_after: list[int] = field(default_factory=list)
    holds: bool = False
    piece: int = 1 << 20
    ranges: bool = True
    token: str = ""
    promised: dict[str, bytes] = field(default_factory=dict)
    asked: list[str | None] = field(default_factory=list)
    sent: int = 0
    half_sent: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def package(self, name: str) -> dict[str, object]:
        """Serve the package's metadata, which npm requests first."""
        return {"name": name, "dist-tags": self.tags, "versions": {key: self._of(name, key) for key in self.versions}}

    def _of(self, name: str, version: str) -> dict[str, object]:
        content = self.promised.get(version, self.versions[version])
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        dist = {"tarball": f"{self.url}/{name}/-/{name}-{version}.tgz", "integrity": integrity}
        return {"name": name, "version": version, "dist": dist}


class _Handler(BaseHTTPRequestHandler):
    registry: Registry

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        name, _, file = self.path.lstrip("/").partition("/-/")
        if not file:
            self._answer(
                200 if name in (LAUNCHER, platform_packages()[0]) else 404, json.dumps(self.registry.package(name))
            )
        elif self.registry.token and self.headers.get("Authorization") != f"Bearer {self.registry.token}":
            self._answer(401, "{}")
        else:
            self._tarball(self.registry.versions[file.removeprefix(f"{name}-").removesuffix(".tgz")])

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def _tarball(self, content: bytes) -> None:
        registry, wanted = self.registry, self.headers.get("Range")
        registry.asked.append(wanted)
        start = int(re.findall(r"\d+", wanted)[0]) if wanted and registry.ranges else 0
        if start >= len(content):
            self._answer(416, "")
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + registry.break_after.pop(0) if registry.break_after else len(content)
        half = min(end, start + (len(content) - start) // 2)
        self._send(content[start:half])
        registry.half_sent.set()
        if registry.holds:
            registry.go_on.wait(30)
        self._send(content[half:end])
        self.close_connection = True

    def _send(self, content: bytes) -> None:
        self.registry.sent += len(content)
        try:
            for start in range(0, len(content), self.registry.piece):
                self.wfile.write(content[start : start + self.registry.piece])
        except OSError:  # the client is gone, as some tests intend
            return


@contextmanager
def serving(registry: Registry) -> Iterator[Registry]:
    """Serve the registry at `registry.url`."""
    handler = type("Handler", (_Handler,), {"registry": registry})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        registry.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield registry
        finally:
            registry.go_on.set()
            server.shutdown()
            thread.join()
