"""The formats in which market data comes in: one pure adapter each (docs/feeds.md)."""
