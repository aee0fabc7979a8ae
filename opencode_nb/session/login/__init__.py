"""Logins to model providers: which there are, and how to store and remove them."""
