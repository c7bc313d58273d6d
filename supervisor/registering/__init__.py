"""Code that users hand in: unpacked, tried in the sandbox, kept by its content (docs/registering.md)."""
