"""``stratd demo``: the whole thing in half a minute, on a real daemon of its own."""
