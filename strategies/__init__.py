"""What a strategy author imports, and everything that is computed without IO. Floor 1."""
