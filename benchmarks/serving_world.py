"""What the serving benchmark needs before it starts: data, models, and an environment for each peer."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evergreen.bundle import Input, Signature, save_bundle
from evergreen.bundle.save import Companions

HERE = Path(__file__).resolve().parent / "serving_peers"
COLUMNS = [f"f{k}" for k in range(10)]
MODELS = ("logistic", "forest")
_SKLEARN = ("scikit-learn==1.9.1", "numpy==2.4.6", "joblib==1.6.0")
PINS: dict[str, tuple[str, ...]] = {
    "mlserver": (
        "mlserver==1.7.1", "mlserver-sklearn==1.7.1", "fastapi==0.115.14", "starlette==0.46.2",
        "uvicorn==0.54.0", "uvloop==0.23.0", "orjson==3.13.0", "pydantic==2.14.3", "pandas==3.1.1", *_SKLEARN,
    ),
    "kserve": (
        "kserve==0.21.0", "fastapi==0.165.0", "starlette==1.10.0", "uvicorn==0.54.0", "uvloop==0.23.0",
        "httptools==0.9.0", "orjson==3.13.0", "pydantic==2.14.3", "pandas==2.3.3", *_SKLEARN,
    ),
    # 1.4.40 asks for a certifi that cannot be had.
    "bentoml": ("bentoml==1.4.39", "starlette==1.10.0", "uvicorn==0.54.0", "pydantic==2.14.3", *_SKLEARN),
    "fastapi": (
        "fastapi==0.163.2", "starlette==1.10.0", "uvicorn==0.54.0", "uvloop==0.23.0", "httptools==0.9.0",
        "pydantic==2.14.3", *_SKLEARN,
    ),
}  # fmt: skip
PEERS = tuple(PINS)


@dataclass(frozen=True)
class World:
    """The data and the models of one run.

    Attributes:
        folder: Where they are: `data.npz`, `bundle-<model>/`, `<peer>/<model>/model.joblib`.
        probes: The rows that are asked for, [rows, 10].
        expected: Our model's probabilities for them, by model.
    """

    folder: Path
    probes: np.ndarray
    expected: dict[str, list[float]]


def make_world(folder: Path, rows: int = 2000, probes: int = 100) -> World:
    """The training data, and both models as our bundles: imputer, scaler, then a classifier."""
    rng = np.random.default_rng(17)
    table = rng.normal(size=(rows, len(COLUMNS)))
    labels = (table.sum(axis=1) + rng.normal(size=rows) > 0).astype(int)
    wanted = rng.normal(size=(probes, len(COLUMNS))).round(4)
    np.savez(folder / "data.npz", rows=table, labels=labels, probes=wanted)
    estimators = {
        "logistic": LogisticRegression(),
        "forest": RandomForestClassifier(100, max_depth=8, random_state=17),
    }
    signature = Signature(
        "binary", tuple(Input(name, "number") for name in COLUMNS), classes=("no", "yes"), positive="yes"
    )
    columns = {name: table[:, k] for k, name in enumerate(COLUMNS)}
    expected = {}
    for name in MODELS:
        fitted = make_pipeline(SimpleImputer(), StandardScaler(), estimators[name])
        fitted.fit(pd.DataFrame(table), labels)
        about = Companions("A benchmark.", None, None, {})
        saved = save_bundle(folder / f"bundle-{name}", fitted, signature, about, columns)
        if saved.engine != "onnx":
            raise SystemExit(f"the graph of {name} did not pass the parity gate: {saved.parity.reason}")
        expected[name] = fitted.predict_proba(pd.DataFrame(wanted))[:, 1].tolist()
    return World(folder, wanted, expected)


def environment_of(peer: str, root: Path) -> Path:
    """The interpreter of a peer's environment, made by venv and pip where it is not there or differs.

    Raises:
        RuntimeError: it cannot be had, with pip's last line.
    """
    folder = root / peer
    stamp, wanted = folder / "requirements.txt", "\n".join(PINS[peer]) + "\n"
    python = folder / "bin" / "python"
    if not stamp.is_file() or stamp.read_text() != wanted:
        print(f"making the environment of {peer} in {folder}", file=sys.stderr, flush=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PINS[peer]]
        for command in ([sys.executable, "-m", "venv", "--clear", folder], pip):
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
            if done.returncode:
                said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
                raise RuntimeError(said[-1])
        stamp.write_text(wanted)
    return python


def train_peer(peer: str, python: Path, world: World) -> dict[str, list[float]]:
    """Both models as joblib files of the peer's own environment; its probabilities for the probe rows."""
    folder = world.folder / peer
    command = [python, HERE / "train.py", world.folder / "data.npz", folder]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["training failed"])[-1])
    return json.loads((folder / "expected.json").read_text())
