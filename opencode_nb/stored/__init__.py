"""OpenCode's own store of sessions, read without a server or the program. Never writes to it."""
