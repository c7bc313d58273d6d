"""The verbs, by what they are about. Each module has a ``register(app)``."""
