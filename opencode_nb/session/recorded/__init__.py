"""Record a session's turns, and play recorded ones where no server runs."""
