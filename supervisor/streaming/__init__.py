"""Live messages for many listeners: topics, cursors, and queues that are bounded (docs/http.md)."""
