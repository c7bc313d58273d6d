"""Where the supervisor and the engine keep things: journal, deployments, mirror."""
