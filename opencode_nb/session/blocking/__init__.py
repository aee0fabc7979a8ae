"""The same for code that does not await: Opencode, Session and Queue, derived from the async ones."""
