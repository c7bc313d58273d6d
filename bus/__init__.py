"""Messages, topics, feeds, candles and sockets: floor 0, imports nothing of ours."""
