"""The options of a server as `Opencode` has them, turned into those of `serve`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from os import PathLike
from typing import Any

STARTS = ("hostname", "port", "start_timeout", "flags", "pure", "on_stderr")
"""Options that only make sense for a server that is started or joined here, not by URL."""

OWNED = ("--port", "--hostname")


def serve_options(
    *,
    base_url: str | None,
    password: str | None,
    hostname: str | None,
    port: int | None,
    start_timeout: float | None,
    config: Mapping[str, Any] | None,
    binary: str | PathLike[str] | None,
    env: Mapping[str, str] | None,
    demo: bool,
    shared: bool,
    flags: Sequence[str],
    pure: bool,
    on_stderr: Callable[[str], object] | None,
) -> dict[str, Any]:
    """Return the arguments of `serve`. A demo, or an address of its own, makes a server private.

    Raises ValueError for options that contradict each other.
    """
    told = dict(zip(STARTS, (hostname, port, start_timeout, flags, pure, on_stderr), strict=True))
    if base_url is not None and (wrong := [name for name, value in told.items() if value]):
        raise ValueError(f"{wrong[0]}= is for a server that is started here: leave it out, or base_url=.")
    if hostname is not None and not (is_loopback(hostname) or password):
        raise ValueError(
            f"hostname={hostname!r} lets other machines connect, and whoever does can run commands here: give a "
            "password=, too."
        )
    own = None if base_url is not None else password or None
    given = {"hostname": hostname, "port": port, "timeout": start_timeout, "password": own}
    return {
        **{name: value for name, value in given.items() if value is not None},
        "config": dict(config) if config else None,
        "binary": binary,
        "env": env,
        "demo": demo,
        "shared": shared and not demo and hostname is None and port is None,
        "flags": checked_flags(flags),
        "pure": pure,
        "on_stderr": on_stderr,
    }


def checked_flags(flags: Sequence[str]) -> tuple[str, ...]:
    """Return the flags. Raises TypeError for a single string, ValueError for those that have an option of their own."""
    if isinstance(flags, str):
        raise TypeError(f"flags={flags!r}: give a sequence of strings, such as ({flags!r},).")
    taken = [flag for flag in flags if flag.partition("=")[0] in OWNED]
    if taken:
        raise ValueError(f"flags: {taken[0]} is set by port= and hostname=. Use those.")
    return tuple(flags)


def is_loopback(hostname: str) -> bool:
    """Return whether only this machine can reach the address."""
    try:
        return hostname == "localhost" or ip_address(hostname.strip("[]")).is_loopback
    except ValueError:  # another name
        return False
