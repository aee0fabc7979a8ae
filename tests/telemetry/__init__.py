"""OpenTelemetry from turns on the real server."""
