"""Logins to model providers, kept by OpenCode as its own `opencode auth login` keeps them.

A stored key is sent to the server and never read back. The server's list of providers has the keys in clear: only what
`Login` has of it leaves this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from opencode_nb.closest import did_you_mean
from opencode_nb.errors import OpencodeError
from opencode_nb.session.catalog import Catalog
from opencode_nb.transcript.state import Json

LOGIN_SECONDS = 600.0
"""Seconds for a person to log in with a browser."""


class LoginMethod(NamedTuple):
    """A way to log in: `type` is "api" (a key) or "oauth" (a browser). `asks`: what it wants to know beside that.

    Each is `{type: "text" | "select", key, message, options?, placeholder?, when?: {key, op: "eq" | "neq", value}}`.
    """

    type: str
    label: str
    asks: tuple[Json, ...] = ()


class Login(NamedTuple):
    """A provider: `source` says where its access comes from, "login", "environment", "configuration" or "" (none)."""

    provider: str
    name: str
    source: str
    methods: tuple[LoginMethod, ...]


class Authorization(NamedTuple):
    """A login in a browser: the page to open, what to do there, and whether it ends with a code to pass on."""

    url: str
    instructions: str
    needs_code: bool


API_KEY = LoginMethod("api", "API key")
"""What every provider takes that names no method of its own."""


class Logins(Catalog):
    """A connection that can log in to model providers."""

    async def logins(self) -> list[Login]:
        """List the providers and how to log in to each, those that can be used first.

        Without those that the server's configuration leaves out: a login to such a one can break its list.
        """
        await self.start()
        providers: list[Any] = (await self.client.provider.list())["all"]
        methods: Mapping[str, Any] = await self.client.provider.auth()
        every = [_login(provider, methods.get(str(provider["id"])) or ()) for provider in providers]
        return sorted(every, key=lambda login: (not login.source, login.provider))

    async def find_login(self, provider: str) -> Login:
        """Return a provider's entry in `logins`. Raises OpencodeError, with close matches, for an unknown one."""
        every = {login.provider: login for login in await self.logins()}
        if provider not in every:
            meant = did_you_mean(provider, every)
            raise OpencodeError(f"There is no provider {provider}.{meant} %opencode login (logins()) lists them.")
        return every[provider]

    async def login(self, provider: str, key: str, *, details: Mapping[str, str] | None = None) -> bool:
        """Log in to a provider with an API key, which OpenCode keeps in its own file of logins.

        `details` are what the method asks for beside it. Returns whether it is in effect: while a turn runs, the old
        one is used. Raises OpencodeError for an unknown provider, ValueError for an empty key.
        """
        await self.find_login(provider)
        if not key.strip():
            raise ValueError(f"The key of {provider} is empty: nothing was stored.")
        body: Any = {"type": "api", "key": key.strip(), **({"metadata": dict(details)} if details else {})}
        await self.client.auth.set(provider, body=body)
        return await self._reread()

    async def logout(self, provider: str) -> bool:
        """Remove the stored login to a provider, if there is one. Returns whether that is in effect, as `login`."""
        await self.start()
        await self.client.auth.remove(provider)
        return await self._reread()

    async def start_login(
        self, provider: str, method: int = 0, details: Mapping[str, str] | None = None
    ) -> Authorization:
        """Begin a login in a browser; `method` counts the provider's methods from 0. Then call `finish_login`.

        Raises OpencodeError for an unknown provider, or a method that does not use a browser.
        """
        found = await self.find_login(provider)
        if method not in range(len(found.methods)) or found.methods[method].type != "oauth":
            raise OpencodeError(f"Method {method} of {provider} is no login in a browser: logins() lists them.")
        told = await self.client.provider.oauth.authorize(provider, method=method, inputs=dict(details or {}))
        return Authorization(str(told.url), str(told.instructions), told.method == "code")

    async def finish_login(self, provider: str, method: int = 0, code: str | None = None) -> bool:
        """Finish a login in a browser, with the code if it gave one; else wait for the browser, ten minutes at most.

        Returns whether it is in effect, as `login`. Raises OpencodeError if it failed.
        """
        given: Any = {"code": code.strip()} if code else {}
        await self.client.provider.oauth.callback(provider, method=method, timeout=LOGIN_SECONDS, **given)
        return await self._reread()

    async def _reread(self) -> bool:
        """Have the server read its logins again. That of another machine shows no change in its file."""
        return await self.renew(unseen=self.managed is None)


def _login(provider: Json, methods: Iterable[Json]) -> Login:
    offered = tuple(
        LoginMethod(str(one["type"]), str(one["label"]), tuple(one.get("prompts") or ())) for one in methods
    )
    name = str(provider["id"])
    return Login(name, str(provider.get("name") or name), _source(provider), offered or (API_KEY,))


def _source(provider: Json) -> str:
    """Where the access comes from. A provider of the configuration keeps that source when a login has its key."""
    source = provider.get("source")
    if source == "env":
        return "environment"
    if source == "api" or provider.get("key"):
        return "login"
    return "configuration" if source == "config" else ""
