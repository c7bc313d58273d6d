"""Real work with heavy packages in confined cells; ``test_heavy.py`` runs it in each setting and judges.

As ``python -m tests.packages.work SETTING SITE``: enters the setting (tests/attacks/stage.py), then becomes
``python -m tests.packages.work run SITE``, which starts a cell for each package and writes as JSON what it
said, how long it took from its fork until it was ready, and how it died if it did.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from sandbox.spec import Budget, Budgets, Limits, Ready
from tests.attacks import stage
from tests.sandbox.world import World, new_world

MIB = 2**20
BUDGETS = Budgets(initialize=Budget(30.0, 120.0))
"""On a host that does much else an import takes many times what it takes alone."""

NUMPY = """
    def initialize(self, config):
        import numpy as np
        rng = np.random.default_rng(7)
        a = rng.standard_normal((200, 200))
        values, vectors = np.linalg.eigh(a @ a.T)
        print("exact", bool(np.allclose(vectors @ np.diag(values) @ vectors.T, a @ a.T)))
        print("fft", bool(np.allclose(np.fft.ifft(np.fft.fft(a)).real, a)))
"""
PANDAS = """
    def initialize(self, config):
        import pandas as pd
        index = pd.date_range("2024-01-01", periods=1440, freq="min", tz="Europe/Berlin")
        frame = pd.DataFrame({"price": range(1440), "symbol": ["A", "B"] * 720}, index=index)
        bars = frame.groupby("symbol").price.resample("1h").ohlc()
        print("bars", len(bars), int(bars.close.iloc[-1]))
        print("mean", float(frame.price.rolling(60).mean().iloc[-1]))
        text = frame.head(3).to_csv()
        import io
        print("csv", pd.read_csv(io.StringIO(text)).price.tolist())
"""
SKLEARN = """
    def initialize(self, config):
        import numpy as np
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_val_score
        rng = np.random.default_rng(7)
        x = rng.standard_normal((400, 5))
        y = (x[:, 0] + x[:, 1] > 0).astype(int)
        model = LogisticRegression().fit(x, y)
        print("linear", bool(model.score(x, y) > 0.97), model.coef_.shape)
        forest = RandomForestClassifier(20, random_state=7, n_jobs=2).fit(x, y)
        print("forest", bool(forest.score(x, y) > 0.97))
        print("folds", bool(cross_val_score(LogisticRegression(), x, y, cv=3).mean() > 0.9))
"""
ONNX = """
    def initialize(self, config):
        import threading
        import numpy as np
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads = 2
        session = ort.InferenceSession(model(), options, providers=["CPUExecutionProvider"])
        x = np.arange(6, dtype=np.float32).reshape(2, 3)
        (y,) = session.run(["y"], {"x": x})
        print("product", y.tolist())
        print("inputs", [(i.name, i.shape, i.type) for i in session.get_inputs()])
"""
ONNX_MODEL = '''
def field(number, value):
    """One field of a protocol buffer: a varint, or bytes with their length (protobuf.dev, "Encoding")."""
    def varint(n):
        return bytes([n]) if n < 128 else bytes([n % 128 + 128]) + varint(n // 128)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def model():
    """y = x @ w, w the 3 x 2 matrix of ones: a ModelProto (onnx.proto), written by hand."""
    import struct
    def tensor_type(*shape):
        dims = b"".join(field(1, field(1, size)) for size in shape)
        return field(1, field(1, 1) + field(2, dims))
    def value(name, *shape):
        return field(1, name) + field(2, tensor_type(*shape))
    node = field(1, "x") + field(1, "w") + field(2, "y") + field(4, "MatMul")
    ones = field(1, 3) + field(1, 2) + field(2, 1) + field(8, "w") + field(9, struct.pack("<6f", *[1.0] * 6))
    graph = field(1, node) + field(2, "g") + field(5, ones)
    graph += field(11, value("x", 2, 3)) + field(12, value("y", 2, 2))
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


'''
TALIB = """
    def initialize(self, config):
        import numpy as np
        import talib
        close = np.arange(100, dtype=float)
        print("sma", talib.SMA(close, 10)[-1], "rsi", talib.RSI(close, 14)[-1])
        macd, signal, histogram = talib.MACD(close)
        print("macd", bool(np.isfinite(macd[-1])), "functions", len(talib.get_functions()) > 150)
"""
PREAMBLE = """
import os, sys, time
from strategies.api import IStrategy


{before}
class Mine(IStrategy):
    def on_candle_complete(self, timeframe, candle, data):
        return None

{body}
"""
WORK = {
    "numpy": (NUMPY, "", 256, ["exact True", "fft True"]),
    "pandas": (PANDAS, "", 512, ["bars 48 1439", "mean 1409.5", "csv [0, 1, 2]"]),
    "scikit-learn": (SKLEARN, "", 1024, ["linear True (1, 5)", "forest True", "folds True"]),
    "onnxruntime": (
        ONNX, ONNX_MODEL, 512,
        ["product [[3.0, 3.0], [12.0, 12.0]]", "inputs [('x', [2, 3], 'tensor(float)')]"],
    ),
    "TA-Lib": (TALIB, "", 512, ["sma 94.5 rsi 100.0", "macd True functions True"]),
}  # fmt: skip


def enter(setting: str, site: str) -> None:
    """Be in ``setting``, where ``site`` can be seen too, and become what does the work."""
    paths = [*stage.needed_paths(), site]
    stage.needed_paths = lambda: paths
    stage.enter(setting)
    os.execv(sys.executable, [sys.executable, "-B", "-m", "tests.packages.work", "run", site])  # noqa: S606


def run(site: str) -> None:
    """Do all the work, one cell after the other; tell of it on stdout."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # a cell may be of another uid
        with new_world(Path(folder)) as world:
            told = {name: work(world, site, name) for name in WORK}
            survey = world.nursery.survey
            assert survey is not None
            json.dump({"setting": survey.setting, "refusal": survey.refusal, "cells": told}, sys.stdout)


def work(world: World, site: str, name: str) -> dict:
    body, before, memory, expected = WORK[name]
    cell = world.start(
        PREAMBLE.format(before=before, body=body),
        packages=site,
        budgets=BUDGETS,
        limits=Limits(memory=memory * MIB, scratch=64 * MIB),
    )
    world.until(lambda: cell.ready or cell.died, f"{name} is ready", 60)
    world.until(lambda: cell.died or len(cell.lines("out")) >= len(expected), f"the output of {name}", 20)
    ready = cell.of(Ready)
    return {
        "said": cell.lines("out"),
        "errors": cell.lines("err")[-5:],
        "ready": ready[0].took if ready else None,
        "died": str(cell.died) if cell.died else "",
    }


if __name__ == "__main__":
    run(sys.argv[2]) if sys.argv[1] == "run" else enter(sys.argv[1], sys.argv[2])
