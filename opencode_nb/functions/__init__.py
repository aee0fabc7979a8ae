"""Functions of the user's as tools for the agent: what it reads of them, their calls, and what comes of those."""
