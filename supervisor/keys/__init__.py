"""API keys: what one looks like, how it is stored, what it may, and who has shown which."""
