"""The routes by subject. Each asks the daemon one thing and writes down the answer; none decides."""
