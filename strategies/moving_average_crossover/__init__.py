"""Built-in strategy: moving average crossover."""
