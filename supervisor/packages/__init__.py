"""Packages of strategies: ``plan`` decides what is installed, ``install`` does it, ``store`` keeps it."""
