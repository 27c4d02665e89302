"""The as-of join of each peer, as its own users write it: the latest event at or before each label's time.

    python asof.py CONTENDER FOLDER      in the peer's environment; prints what it took as JSON

FOLDER holds labels/part-00000.parquet (row, id, at, y) and events/part-00000.parquet (id, ts, x, z).
"""

import json
import resource
import sys
import time
from pathlib import Path


def duckdb(labels: str, events: str, out: str) -> None:
    import duckdb as engine

    with engine.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(
            f"COPY (SELECT l.*, e.x, e.z FROM read_parquet('{labels}') AS l "
            f"ASOF LEFT JOIN read_parquet('{events}') AS e ON l.id = e.id AND l.at >= e.ts) "
            f"TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
        )


def polars(labels: str, events: str, out: str) -> None:
    import polars as pl

    left = pl.scan_parquet(labels).sort("at")
    right = pl.scan_parquet(events).sort("ts")
    joined = left.join_asof(right, left_on="at", right_on="ts", by="id", strategy="backward")
    joined.drop("ts", strict=False).collect().write_parquet(out, compression="zstd")


def pandas(labels: str, events: str, out: str) -> None:
    import pandas as pd

    left = pd.read_parquet(labels).sort_values("at")
    right = pd.read_parquet(events).sort_values("ts")
    joined = pd.merge_asof(left, right, left_on="at", right_on="ts", by="id")
    joined.drop(columns="ts").to_parquet(out, compression="zstd", index=False)


def feast(labels: str, events: str, out: str) -> None:
    """Feast's offline store over Parquet files, without its telemetry and its registry's server."""
    import os
    from datetime import timedelta

    os.environ["FEAST_USAGE"] = "False"
    import pandas as pd
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
    from feast.types import Float64

    folder = Path(out).parent
    config = RepoConfig(
        project="bench", provider="local", registry=str(folder / "registry.db"),
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        offline_store={"type": "dask"}, entity_key_serialization_version=3,
    )  # fmt: skip
    store = FeatureStore(config=config)
    user = Entity(name="user", join_keys=["id"], value_type=ValueType.INT64)
    source = FileSource(name="events", path=events, timestamp_field="ts")
    fields = [Field(name="x", dtype=Float64), Field(name="z", dtype=Float64)]
    view = FeatureView(
        name="events", entities=[user], ttl=timedelta(days=36500), schema=fields, source=source
    )
    store.apply([user, view])
    asked = pd.read_parquet(labels).rename(columns={"at": "event_timestamp"})
    asked["event_timestamp"] = asked["event_timestamp"].dt.tz_localize("UTC")
    found = store.get_historical_features(entity_df=asked, features=["events:x", "events:z"]).to_df()
    found.to_parquet(out, compression="zstd", index=False)


def measured(work: object, *arguments: object) -> dict[str, float]:
    """Seconds, CPU seconds (of this process and its children) and peak MiB of one call."""
    begun, busy = time.perf_counter(), sum(sum(_used(w)) for w in _WHO)
    work(*arguments)  # type: ignore[operator]
    return {
        "seconds": time.perf_counter() - begun,
        "cpu": sum(sum(_used(w)) for w in _WHO) - busy,
        "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _used(who: int) -> tuple[float, float]:
    usage = resource.getrusage(who)
    return usage.ru_utime, usage.ru_stime


CONTENDERS = {"duckdb": duckdb, "polars": polars, "pandas": pandas, "feast": feast}

if __name__ == "__main__":
    name, folder = sys.argv[1], Path(sys.argv[2])
    tables = [str(folder / t / "part-00000.parquet") for t in ("labels", "events")]
    print(json.dumps(measured(CONTENDERS[name], *tables, str(folder / f"{name}.parquet"))))
