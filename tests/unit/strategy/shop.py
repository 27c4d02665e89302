"""Tables for the tests of the strategy: a shop with one large customer, and rows without any tail."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

USER = 'the "user"'


def shop(folder: Path) -> Path:
    """One user with 84,003 purchases, one with 2, 40 others; a rare country, a huge price, a hole."""
    rng = np.random.default_rng(5)
    sizes = {"whale": 84_003, "two": 2, **{f"u{k}": 500 + 10 * k for k in range(40)}}
    user = np.repeat(list(sizes), list(sizes.values()))
    rows = len(user)
    country = np.where(rng.random(rows) < 0.004, "Liechtenstein", rng.choice(["Germany", "France"], rows))
    rate = np.where(country == "Liechtenstein", 0.6, 0.1)
    price = rng.normal(20, 2, rows)
    price[rng.random(rows) < 0.003] = 900.0
    frame = pd.DataFrame(
        {USER: user, "select": country, "price": price, "bought": rng.random(rows) < rate, "n": 1.0}
    )
    frame.loc[rng.random(rows) < 0.002, "n"] = np.nan
    return written(frame, folder / "shop.parquet")


def written(frame: pd.DataFrame, path: Path) -> Path:
    """A frame as Parquet."""
    duckdb.sql("SELECT * FROM frame").write_parquet(str(path))
    return path
