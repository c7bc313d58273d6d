"""Figures for Prometheus: what the daemon knows anyway, in its text format (docs/metrics.md)."""
