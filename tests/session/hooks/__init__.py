"""Hooks on the real server."""
