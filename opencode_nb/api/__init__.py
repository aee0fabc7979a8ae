"""Every operation of the OpenCode server's HTTP API. Knows nothing of notebooks, processes, or what sessions mean."""
