"""Prompt input: turns text, files, images and mentions into the server's parts, and completes them."""
