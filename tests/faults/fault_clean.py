"""Real data with nothing planted: what every gate is asked about in A/A runs."""

from collections.abc import Sequence
from pathlib import Path

import fault_media
import fault_sources
import numpy as np
from fault_changes import Plant
from fault_columns import TIME
from fault_gates import bootstrap, data, features, labels, repair, skew
from fault_labels import labelled
from fault_skew import META, served
from fault_world import TABLES, Clean, Options, generator, halves

from evergreen.findings import Finding


def random_halves(table: str, options: Options | None = None) -> Clean:
    """The two random halves of a table against each other."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        return data(folder, *halves(TABLES[table](), seed), options)

    return Clean("data", f"{table}, random halves", run)


def few_rows(table: str, rows: int) -> Clean:
    """A few rows of a table against as many others."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        some = bootstrap(TABLES[table](), generator(seed), 2 * rows)
        chosen = generator(seed).permutation(np.arange(2 * rows)) < rows
        return data(folder, some[~chosen], some[chosen])

    return Clean("data", f"{table}, {rows} rows", run)


def bootstrapped(table: str) -> Clean:
    """Two samples of a table with replacement: both are draws from one world, rows repeat in both."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        whole, rng = TABLES[table](), generator(seed)
        drawn = [np.sort(rng.integers(0, len(whole), len(whole))) for _ in range(2)]
        before, after = (whole.iloc[rows].reset_index(drop=True) for rows in drawn)
        return data(folder, before, after)

    return Clean("data", f"{table}, bootstrap", run)


def labels_of(table: str, rows: int, drop: Plant | None = None) -> Clean:
    """The labels of some rows, with the profile of the others as baseline."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        whole = labelled(table)
        after = bootstrap(whole, generator(seed), rows)
        return labels(folder, after, whole[~whole["id"].isin(after["id"])])

    return Clean("labels", f"{table}, {rows} rows", run, quick=1)


def features_of(table: str, rows: int, label: str = "target") -> Clean:
    """The features of some rows."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        return features(folder, bootstrap(TABLES[table](), generator(seed), rows), label)

    return Clean("features", f"{table}, {rows} rows", run, quick=1)


def served_as_trained(folder: Path, seed: int) -> Sequence[Finding]:
    """Half of the training rows, served as they were, and as many that training has not seen."""
    whole = served()
    rng = generator(seed)
    training = whole[rng.random(len(whole)) < 0.7]
    return skew(folder, training, bootstrap(whole, rng, len(whole) // 2), META)


def repaired(table: str) -> Clean:
    """Some rows of a table whose values are written well."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        whole = TABLES[table]()
        some = bootstrap(whole, generator(seed), min(2_000, len(whole) // 2))
        return repair(folder, some.drop(columns="product_type", errors="ignore"))  # some do end in a space

    return Clean("repair", table, run)


SLICED = Options(roles=TIME.roles, slices=("department",))
CLEAN = (
    random_halves("lines", SLICED),
    *(random_halves(name) for name in ("demographics", "redemptions", "products", "cancer", "wine", "iris",
    "diabetes")),
    few_rows("lines", 200),
    few_rows("cancer", 60),
    few_rows("demographics", 80),
    bootstrapped("wine"),
    bootstrapped("diabetes"),
    labels_of("cancer", 400),
    labels_of("wine", 130),
    labels_of("iris", 110),
    labels_of("diabetes", 320),
    features_of("cancer", 400),
    features_of("wine", 140),
    features_of("diabetes", 320),
    Clean("skew", "lines, served as trained", served_as_trained, quick=3),
    *(repaired(name) for name in ("lines", "demographics", "cancer", "wine", "redemptions")),
    Clean("sources", "the shop's tables", fault_sources.clean, quick=3),
    Clean("media", "images", fault_media.clean_images, quick=1),
    Clean("media", "texts", fault_media.clean_texts, quick=1),
)  # fmt: skip
