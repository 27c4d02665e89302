"""Faults of a whole table: its span, its rows, its columns; for `evergreen validate` against yesterday's."""

import pandas as pd
from fault_changes import first, keys_again, repeated, without
from fault_columns import TIME, fault
from fault_world import Options

KEY = Options(roles={"household_id": "key"})
_CUT = pd.Timestamp("2017-10-15")
_GAP = (pd.Timestamp("2017-05-01"), pd.Timestamp("2017-05-29"))

WHOLE = (
    fault("late spans", "the newest eleven weeks have not come", "lines",
          without(lambda f: f["transaction_timestamp"] >= _CUT), "transaction_timestamp",
          ("late", "gap", "drift"), TIME),
    fault("time gaps", "four weeks in the middle", "lines",
          without(lambda f: f["transaction_timestamp"].between(*_GAP)), "transaction_timestamp",
          ("gap", "drift"),
          TIME),
    fault("duplicates", "8 % of the rows again", "cancer", repeated(0.08), "", ("repeated rows", "volume")),
    fault("duplicates", "every row twice", "demographics", repeated(1.0), ("", "household_id"),
          ("repeated rows", "key", "unique", "volume")),
    fault("duplicates", "a key that names several rows", "demographics", keys_again("household_id", 0.02),
          "household_id", ("unique", "key"), KEY),
    fault("duplicates", "a fan-out of a join", "lines", repeated(0.05), "", ("repeated rows",)),
    fault("truncated tables", "a tenth of the rows", "products", first(0.1), "", ("volume", "min_rows")),
    fault("truncated tables", "half of a table in order of time", "lines", first(0.5),
          ("", "transaction_timestamp"), ("volume", "late", "drift", "gap"), TIME),
    fault("columns", "one renamed", "wine", lambda f, r: f.rename(columns={"proline": "prolin"}),
          ("proline", "prolin"), ("column", "absent", "new column")),
    fault("columns", "one gone", "diabetes", lambda f, r: f.drop(columns="s6"), "s6", ("column", "absent")),
    fault("columns", "one new", "iris", lambda f, r: f.assign(colour="blue"), "colour",
          ("new column", "column")),
    fault("type changes", "numbers as text", "diabetes", lambda f,
          r: f.assign(age=f["age"].astype(int).astype(str)),
          "age", ("type",)),
    fault("type changes", "halves in whole numbers", "digits", lambda f,
          r: f.assign(pixel_3_3=f["pixel_3_3"] + 0.5),
          "pixel_3_3", ("type", "precision", "values", "drift", "range", "domain")),
    fault("type changes", "times as text", "redemptions",
          lambda f, r: f.assign(redemption_date=f["redemption_date"].dt.strftime("%d.%m.%Y")),
          "redemption_date",
          ("type",)),
)  # fmt: skip
