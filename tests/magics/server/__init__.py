"""The magics that start and set up the server."""
