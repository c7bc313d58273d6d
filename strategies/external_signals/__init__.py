"""The strategy behind webhooks."""
