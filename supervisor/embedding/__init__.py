"""What ``supervisor.orchestrator`` is made of: cells that the embedding process drives, and their market."""
