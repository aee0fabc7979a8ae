"""The MCP servers of a directory: their configuration, what state they are in, and keeping them attached."""
