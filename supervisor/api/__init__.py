"""The HTTP API, on the daemon's own event loop (docs/http.md)."""
