"""Faults between the sources of a project: old, short, orphaned, against the user's rules."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fault_gates import project, sources
from fault_world import Fault, Frame, Random, generator, journey, lines

from evergreen.findings import Finding
from evergreen.project.model import Project

Tables = dict[str, Frame]
NOW = datetime(2018, 1, 1, 6)


def shop() -> Tables:
    """Receipts, articles, households and campaigns, as they refer to each other."""
    articles, receipts = journey("products"), lines().drop(columns=["department", "brand", "product_type"])
    known = receipts["product_id"].isin(
        articles["product_id"]
    )  # a few articles are missing in the real table
    return {
        "lines": receipts[known].reset_index(drop=True),
        "articles": articles[articles["product_id"].isin(receipts["product_id"])].reset_index(drop=True),
        "campaigns": journey("campaign_descriptions").copy(),
        "offers": journey("campaigns").copy(),
    }


def settings() -> Project:
    """What the shop's owner asks of these tables."""
    described: dict[str, Any] = {
        "lines": {
            "path": "lines.parquet", "time": "transaction_timestamp", "freshness": "2d",
            "rows": {"min": 7_000},
            "references": [{"columns": ["product_id"], "source": "articles"}],
        },
        "articles": {"path": "articles.parquet", "key": "product_id"},
        "campaigns": {"path": "campaigns.parquet", "key": "campaign_id"},
        "offers": {
            "path": "offers.parquet",
            "references": [{"columns": ["campaign_id"], "source": "campaigns"}],
        },
    }  # fmt: skip
    rule = {"name": "dates_in_order", "check": "start_date < end_date", "source": "campaigns"}
    return project(
        sources=described, label={"source": "lines", "column": "quantity"}, gates={"data": {"rules": [rule]}},
        features=[{"name": "plain", "source": "lines", "columns": ["sales_value"]}],
    )  # fmt: skip


def fault(
    family: str, name: str, table: str, plant: Callable[[Frame, Random], Frame], column: str, rule: str
) -> Fault:
    """A fault in one of the shop's tables."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        tables = shop()
        planted: Mapping[str, Frame] = {**tables, table: plant(tables[table], generator(seed))}
        return sources(folder, planted, settings(), NOW)

    return Fault(name, family, "sources", table, (column,), (rule,), run)


def reversed_dates(f: Frame, r: Random) -> Frame:
    """Start and end of one campaign exchanged."""
    one = np.arange(len(f)) == r.integers(len(f))
    return f.assign(
        start_date=f["start_date"].mask(one, f["end_date"]), end_date=f["end_date"].mask(one, f["start_date"])
    )


SOURCES = (
    fault("late spans", "the newest receipts are a week old", "lines",
          lambda f, r: f[f["transaction_timestamp"] < "2017-12-25"], "lines.transaction_timestamp",
          "freshness"),
    fault("truncated tables", "fewer rows than the owner asks for", "lines", lambda f, r: f.tail(4_000),
          "lines",
          "rows"),
    fault("orphans", "1 % of the articles gone", "articles",
          lambda f, r: f[r.random(len(f)) > 0.01], "lines.product_id", "reference"),
    fault("orphans", "one campaign gone", "campaigns", lambda f, r: f.drop(f.index[r.integers(len(f))]),
          "offers.campaign_id", "reference"),
    fault("orphans", "keys written with zeros in front", "articles",
          lambda f, r: f.assign(product_id=[f"{k:010d}" for k in f["product_id"]]), "lines.product_id",
          "reference"),
    fault("broken rules", "a campaign that ends before it begins", "campaigns", reversed_dates, "campaigns",
          "rule dates_in_order"),
)  # fmt: skip


def clean(folder: Path, seed: int) -> Sequence[Finding]:
    """The shop's tables, nothing planted; some of the receipts."""
    tables = shop()
    some = tables["lines"].sample(frac=0.95, random_state=seed)
    newest = tables["lines"].tail(1)
    return sources(folder, {**tables, "lines": pd.concat([some, newest])}, settings(), NOW)
