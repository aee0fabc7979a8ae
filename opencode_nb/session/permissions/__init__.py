"""Answers the agent's requests: by rules, approvals, callables, or a person at the console."""
