"""Tables with labels that are right, and with labels that are wrong in ways a test knows."""

import numpy as np
import pandas as pd
from sklearn import datasets


def load(name: str) -> pd.DataFrame:
    """A set of scikit-learn with text labels in `y` and a key in `id`."""
    found = getattr(datasets, f"load_{name}")(as_frame=True)
    table = found.data.copy()
    table["y"] = [str(found.target_names[k]) for k in found.target] if name != "diabetes" else found.target
    table["id"] = np.arange(len(table))
    return table


def flipped(table: pd.DataFrame, share: float, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """The table with a share of its labels replaced by another class; and the ids of those rows."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(table))[: round(share * len(table))]
    classes = sorted(table["y"].unique())
    wrong = table.copy()
    for row in rows:
        others = [c for c in classes if c != table["y"].iloc[row]]
        wrong.loc[wrong.index[row], "y"] = others[rng.integers(0, len(others))]
    return wrong, table["id"].to_numpy()[rows]
