"""What the server returns, for type checkers and editors: see results.pyi. Import it under `if TYPE_CHECKING:`."""
