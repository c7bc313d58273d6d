"""The engine process, ``python -m supervisor.engine``: the IO shell around the deterministic core."""
