"""Tables for the tests of selection."""

import numpy as np
import pandas as pd

WEIRD = 'Größe "m²" select'


def table(rows: int = 500, seed: int = 0) -> pd.DataFrame:
    """Three features that matter, copies of two of them, two of pure noise."""
    rng = np.random.default_rng(seed)
    found = pd.DataFrame(
        {
            "id": rng.permutation(rows),
            "strong": rng.normal(size=rows),
            WEIRD: rng.lognormal(3, 1, rows),
            "town": rng.choice(["north", "south", "east", None], rows),
            "noise": rng.normal(size=rows),
            "coin": rng.random(rows) < 0.5,
        }
    )
    found["strong in cm"] = found["strong"] * 2.54 + 10
    found["town code"] = found["town"].map({"north": 7.0, "south": 3.0, "east": 5.0})
    score = found["strong"] + np.log(found[WEIRD]) - 3 + 1.5 * (found["town"] == "north")
    found["y"] = np.where(score + rng.normal(size=rows) * 0.5 > 0.5, "yes", "no")
    return found
