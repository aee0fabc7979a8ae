"""Describe the user's kernel to the agent. Imports transcript only."""
