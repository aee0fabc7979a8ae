"""Agents that speak the Agent Client Protocol, through pipes: `opencode acp` and others, with the same sessions."""
