"""The user's side of the agent: what it is told of the kernel. Imports transcript only."""
