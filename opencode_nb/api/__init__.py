"""Every operation of the OpenCode server's HTTP API. Knows nothing of notebooks, sessions' meaning, or processes."""
