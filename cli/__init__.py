"""The command line: talks HTTP to the daemon over its Unix socket. Floor 4."""
