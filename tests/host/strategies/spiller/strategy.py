"""Takes what no limit of a process counts: files in memory, after memory of its own just below that limit."""

from __future__ import annotations

import os
from pathlib import Path

from strategies import IStrategy

OWN = 72 * 2**20
PIECE = 8 * 2**20


class Strategy(IStrategy):
    def initialize(self, config):
        self.taken = None
        self.files = 0

    def on_candle_complete(self, timeframe, candle, data):
        return None

    def on_tick(self, data):
        if self.taken is None:
            self.taken = bytearray(os.urandom(1024)) * (OWN // 1024)
        self.files += 1  # the scratch folder lies in memory
        Path(f"/tmp/spilled-{self.files}").write_bytes(os.urandom(1024) * (PIECE // 1024))
