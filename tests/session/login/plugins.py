"""A plugin of the opencode server with ways to log in to a provider."""

from __future__ import annotations

from pathlib import Path

SOURCE = Path(__file__).with_name("plugin.js")


def add_login_plugin(project: Path, provider: str) -> None:
    """Have the server find the plugin in a project."""
    folder = project / ".opencode/plugin"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "login.js").write_text(SOURCE.read_text(encoding="utf-8").replace("PROVIDER", provider), encoding="utf-8")
