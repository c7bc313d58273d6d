"""One file a migration, never changed once it was released: it says what was then, not what is now."""
