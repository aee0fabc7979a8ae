"""Runs the agent's code on the kernel's main thread, in the user's namespace, and tells what came of it."""
