"""What is known of a session: folds the server's events into messages, turns and their states. Pure."""
