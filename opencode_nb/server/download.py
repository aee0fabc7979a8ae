"""Download a file, resuming an interrupted download.

Plain HTTP with the standard library. Failing to reach the file (a registry behind a login, a proxy that only npm knows)
is not an error: the caller then leaves the download to npm.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from opencode_nb.errors import ServerError

__all__ = ["download"]

READ_SECONDS = 30.0  # without receiving a byte
FRUITLESS = 3  # attempts in a row without progress
PAUSE_SECONDS = 1.0  # after an attempt without progress
CHUNK = 1 << 18

Told = Callable[[int, int | None], None]


def download(url: str, integrity: str, target: Path, told: Told) -> bool:
    """Download `url` to `target`, resuming a partial file; return whether it is now complete and verified.

    integrity: "sha512-" and the checksum in base64, as npm has it.
    told: called with (bytes so far, total bytes or None).
    Raises ServerError on a checksum mismatch, after deleting the file; OSError if `target` can't be written.
    """
    if not (url.startswith(("https:", "http:")) and integrity.startswith("sha512-")):
        return False
    if _fits(target, integrity):
        return True
    left = target.exists()
    complete = _complete(url, target, told)
    if complete and left and not _fits(target, integrity):  # the leftover may be of another file: start over
        target.unlink()
        complete = _complete(url, target, told)
    if complete and not _fits(target, integrity):
        target.unlink()
        raise ServerError(
            f"The download of {url} does not match the registry's checksum and was deleted. Try again, or ask whoever "
            "runs the registry or the proxy in front of it."
        )
    return complete


def _complete(url: str, target: Path, told: Told) -> bool:
    """Fetch, retrying while attempts make progress; return whether the file is complete."""
    fruitless = 0
    while fruitless < FRUITLESS:
        before = _size(target)
        if (more := _fetch(url, target, told)) is not True:
            return more is False
        fruitless = 0 if _size(target) != before else fruitless + 1
        time.sleep(PAUSE_SECONDS if fruitless else 0)
    return False


def _fetch(url: str, target: Path, told: Told) -> bool | None:
    """Fetch what is missing; return whether to try for more, None if the server refuses."""
    have = _size(target)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310  # checked
    try:
        answer = urllib.request.urlopen(request, timeout=READ_SECONDS)  # noqa: S310  # the scheme is checked above
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            target.unlink()  # complete but wrong: start over
            return True
        return None
    except (OSError, http.client.HTTPException):
        return True
    with answer, target.open("ab" if answer.status == http.client.PARTIAL_CONTENT else "wb") as file:
        return _copy(answer, file, told)


def _copy(answer: http.client.HTTPResponse, file: BinaryIO, told: Told) -> bool:
    """Write the body; return whether it was cut short."""
    have = known = file.tell()
    total = have + answer.length if answer.length is not None else None
    for chunk in _chunks(answer):
        file.write(chunk)
        have += len(chunk)
        if have - known >= CHUNK:  # a slow connection gives a kilobyte or two at a time
            known = have
            told(have, total)
    if have != known:
        told(have, total)
    return total is not None and have < total


def _chunks(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := answer.read1(CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException):  # the connection broke: keep the partial file
        return


def _fits(target: Path, integrity: str) -> bool:
    if not target.exists():
        return False
    with target.open("rb") as file:
        digest = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    return digest == integrity.removeprefix("sha512-")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
