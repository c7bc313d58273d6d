"""``stratd top``: what the stream tells of every deployment, on a terminal, for as long as somebody looks."""
