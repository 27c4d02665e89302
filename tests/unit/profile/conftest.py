"""Small Parquet tables made by SQL or from pandas."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pytest

Maker = Callable[..., Path]


@pytest.fixture
def table(tmp_path: Path) -> Maker:
    """`table("SELECT …")` or `table(frame)` writes a Parquet file and returns its path."""

    def make(content: str | pd.DataFrame, name: str = "table") -> Path:
        path = tmp_path / f"{name}.parquet"
        with duckdb.connect() as con:
            if isinstance(content, pd.DataFrame):
                con.register("frame", content)
                content = "SELECT * FROM frame"
            con.execute(f"COPY ({content}) TO '{path}' (FORMAT parquet)")
        return path

    return make
