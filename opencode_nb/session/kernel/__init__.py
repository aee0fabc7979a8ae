"""What a session has of the kernel: the tools that it offers the agent, their calls, and its part of undo."""
