"""Telling people what happened, where they are: webhooks, chats, mail (docs/notifications.md)."""
