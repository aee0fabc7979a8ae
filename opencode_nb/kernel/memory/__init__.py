"""What the agent's code changes in the user's namespace and process, and taking it back. Knows no session or server."""
