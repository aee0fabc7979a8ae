"""What the server accepts, for type checkers and editors: see params.pyi. Import it under `if TYPE_CHECKING:`."""
