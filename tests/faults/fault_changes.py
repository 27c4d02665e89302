"""What goes wrong with a column or a table, as functions of a frame and a generator."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from fault_world import Frame, Random

Change = Callable[[pd.Series, Random], pd.Series]
Plant = Callable[[Frame, Random], Frame]


def column(name: str, change: Change) -> Plant:
    """Change one column."""
    return lambda f, r: f.assign(**{name: change(f[name], r)})


def factor(by: float, share: float = 1.0) -> Change:
    """Another unit, in all rows or in some."""

    def change(s: pd.Series, r: Random) -> pd.Series:
        return s.astype(float).mask(r.random(len(s)) < share, s * by)

    return change


def linear(by: float, plus: float, share: float = 1.0) -> Change:
    """Another scale with another zero."""
    return lambda s, r: s.astype(float).mask(r.random(len(s)) < share, s * by + plus)


def factor_where(name: str, where: Callable[[Frame], pd.Series], by: float) -> Plant:
    """Another unit in one part of the rows."""
    return lambda f, r: f.assign(**{name: f[name].astype(float).mask(where(f), f[name] * by)})


def put(value: object, share: float) -> Change:
    """One value in place of some."""

    def change(s: pd.Series, r: Random) -> pd.Series:
        plain = s.astype(float) if isinstance(value, float) else s
        plain = plain.astype(object) if isinstance(value, str) or value is None else plain
        return plain.mask(r.random(len(s)) < share, value)

    return change


def text(change: Callable[[str], str], share: float = 1.0) -> Change:
    """Other characters in some of the texts."""

    def apply(s: pd.Series, r: Random) -> pd.Series:
        chosen = r.random(len(s)) < share
        known = s.astype(object).where(s.notna(), None)
        changed = [change(v) if c and isinstance(v, str) else v for v, c in zip(known, chosen, strict=True)]
        return pd.Series(changed, index=s.index, dtype=object)

    return apply


def written(form: Callable[[float], str], share: float = 1.0) -> Change:
    """Numbers written as text, in all rows or in some."""

    def change(s: pd.Series, r: Random) -> pd.Series:
        chosen = r.random(len(s)) < share
        said = [
            form(v) if c and pd.notna(v) else ("" if pd.isna(v) else str(v))
            for v, c in zip(s, chosen, strict=True)
        ]
        return pd.Series(said, index=s.index, dtype=object)

    return change


def shifted(by: pd.Timedelta, share: float = 1.0) -> Change:
    """Another clock."""
    return lambda s, r: s.mask(r.random(len(s)) < share, s + by)


def swapped(a: str, b: str) -> Plant:
    """Two columns under each other's name."""
    return lambda f, r: f.assign(**{a: f[b], b: f[a]})


def shuffled(s: pd.Series, r: Random) -> pd.Series:
    """The right values in the wrong rows."""
    return pd.Series(r.permutation(s.to_numpy()), index=s.index)


def rolled(s: pd.Series, r: Random) -> pd.Series:
    """The values one row too far down."""
    return pd.Series(np.roll(s.to_numpy(), 1), index=s.index)


def stuck(s: pd.Series, r: Random) -> pd.Series:
    """From the middle of the table on the same value."""
    return s.where(np.arange(len(s)) < len(s) / 2, s.iloc[len(s) // 2])


def capped(s: pd.Series, r: Random) -> pd.Series:
    """A sensor that ends at the 90th percentile."""
    return s.clip(upper=s.quantile(0.9))


def noisy(s: pd.Series, r: Random) -> pd.Series:
    """As much noise again as the column varies."""
    return s + r.normal(0, s.std(), len(s))


def day_for_month(s: pd.Series, r: Random) -> pd.Series:
    """Days and months exchanged where both are possible."""
    possible = s.dt.day <= 12
    other = pd.to_datetime({"year": s.dt.year, "month": s.dt.day.where(possible, s.dt.month),
                            "day": s.dt.month.where(possible, s.dt.day)})  # fmt: skip
    return other.astype(s.dtype)


def repeated(share: float) -> Plant:
    """Some rows a second time."""
    return lambda f, r: pd.concat(
        [f, f.iloc[r.permutation(len(f))[: round(share * len(f))]]], ignore_index=True
    )


def keys_again(name: str, share: float) -> Plant:
    """Some rows with the key of another row."""

    def plant(f: Frame, r: Random) -> Frame:
        chosen = r.permutation(len(f))[: max(2, round(share * len(f)))]
        keys = f[name].to_numpy().copy()
        keys[chosen] = keys[np.roll(chosen, 1)[:1]]
        return f.assign(**{name: keys})

    return plant


def first(share: float) -> Plant:
    """Only the head of the table."""
    return lambda f, r: f.iloc[: max(1, round(share * len(f)))].reset_index(drop=True)


def without(where: Callable[[Frame], pd.Series]) -> Plant:
    """The table without some rows."""
    return lambda f, r: f[~where(f)].reset_index(drop=True)


def moved_along(names: Sequence[str]) -> Plant:
    """Values of neighbouring columns one column too far right."""
    return lambda f, r: f.assign(**{b: f[a] for a, b in zip(names, [*names[1:], names[0]], strict=True)})


def mojibake(value: str) -> str:
    """UTF-8 read as Latin-1: here of an accent and a typographer's quote."""
    return f"{value[:2]}é’{value[2:]}".encode().decode("cp1252", errors="replace")
