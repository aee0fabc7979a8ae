"""Hooks: functions of the user's that are called when something happens in a session."""
