"""A session's state: folds the server's events into messages, turns and their status. Pure."""
