"""Live orders on their way to a venue and back: what talks to slow outside worlds (docs/routing.md)."""
