"""What comes from the server: the event stream, stored messages, and who listens to both."""
