"""OpenCode, the open-source coding agent, inside Jupyter."""
