"""Tests of what turns spend."""
