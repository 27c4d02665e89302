"""The report of an assessment: size, what follows, how rows are spread, the long tail."""

import math

from markupsafe import Markup

from evergreen.reports import charts
from evergreen.reports.page import Section, chip, code, figure, note, page, table, text, tiles
from evergreen.reports.text import interval, number, percent
from evergreen.strategy.model import Entities, Strategy, TailSlice
from evergreen.strategy.words import headline

_LANES = 20
_SLICE = Markup('<div style="min-width:190px;white-space:normal"><strong>{}</strong><br>{}</div>')


def strategy_page(strategy: Strategy, title: str) -> str:
    """The page of `assess_data`."""
    sections = [
        Section("Size", [_tiles(strategy)]),
        Section("What follows", _advice(strategy)),
        Section("Label", _label(strategy)),
        Section("Entities", _entities(strategy.entities) if strategy.entities else []),
        Section("Long tail", _slices(strategy)),
    ]
    return page("Data size and strategy", sections, subtitle=title, verdict=headline(strategy))


def _tiles(strategy: Strategy) -> str:
    shown: dict[str, object] = {
        "Rows": (strategy.rows, f"{strategy.size} data"),
        "Features": strategy.features,
    }
    if strategy.label:
        shown["Without a label"] = strategy.missing_labels
    shown["Test rows"] = (strategy.test_rows, "by the split's share")
    if strategy.half_width is not None:
        shown["Interval on the test set"] = (f"±{number(strategy.half_width)}", strategy.metric)
        shown["Least loss that is not noise"] = (strategy.detectable, strategy.metric)
    if strategy.entities:
        effective = number(round(strategy.entities.effective_rows))
        shown["Entities"] = (strategy.entities.count, f"{effective} effective rows")
    return tiles(shown)


def _advice(strategy: Strategy) -> list[str]:
    rows = [(a.topic, a.text, a.value, code(a.command) if a.command else "") for a in strategy.advice]
    return [table(["Topic", "What follows", "Number", "Command"], rows, numeric={2})]


def _label(strategy: Strategy) -> list[str]:
    if not strategy.classes:
        return []
    shown = strategy.classes[:_LANES]
    drawn = charts.bars([v for v, _ in shown], [float(n) for _, n in shown], f"Rows by {strategy.label}")
    more = f"The {_LANES} most frequent of {len(strategy.classes)}." if len(strategy.classes) > _LANES else ""
    return [figure(drawn, more)]


def _entities(entities: Entities) -> list[str]:
    named = " & ".join(entities.columns)
    lorenz = charts.curve(
        {named: list(entities.lorenz)}, f"share of {named}, fewest rows first", "share of the rows",
        f"Lorenz curve (Gini {number(entities.gini)})", diagonal=True,
    )  # fmt: skip
    ranks = charts.curve(
        {named: [(math.log10(r), math.log10(n)) for r, n in entities.ranks]}, "log10 of the rank",
        "log10 of the rows", "Rows by rank",
    )  # fmt: skip
    bands = [
        (b.name, b.entities, b.entities / entities.count, b.rows, f"{number(b.fewest)} to {number(b.most)}")
        for b in entities.bands
    ]
    return [
        figure(lorenz, "On the dashed line all would have the same number of rows."),
        figure(
            ranks,
            f"{number(entities.most)} to {number(entities.fewest)} rows; a power law is a straight line.",
        ),
        table(["Part", named, "Share", "Rows", "Rows of each"], bands, numeric={1, 2, 3, 4}),
        text(f"Each has {number(entities.mean)} rows on average, {number(entities.median)} in the middle."),
    ]


def _slices(strategy: Strategy) -> list[str]:
    if not strategy.slices:
        return [note("No slice stands out: rows are spread evenly over entities and values.")]
    blocks: list[str] = []
    known = [s for s in strategy.slices if s.label is not None]
    if known:
        share = "share" if strategy.task == "binary" else "mean"
        what = f"{strategy.label} = {strategy.positive}" if strategy.positive else strategy.label
        bounds = [None if s.label_low is None else (s.label_low, s.label_high or s.label_low) for s in known]
        drawn = charts.forest(
            [_short(s) for s in known], [s.label for s in known], bounds, f"{share} of {what}".capitalize(),
            reference=_rate(strategy),
        )  # fmt: skip
        blocks.append(figure(drawn, "The dashed line is the whole table; the interval holds 95 %."))
    drawn = charts.bars(
        [_short(s) for s in strategy.slices], [s.share for s in strategy.slices], "Share of the rows"
    )
    blocks.append(figure(drawn))
    blocks.append(_slice_table(strategy))
    words = (
        f"{number(strategy.looked_at)} slices were looked at; “differs” holds for all of them together at a "
        "false discovery rate of 0.05. A slice with too few test rows is measured and never stops a run."
    )
    return [*blocks, text(words)]


def _slice_table(strategy: Strategy) -> Markup:
    """A line for each slice; columns that say nothing are left out."""
    slices = strategy.slices
    columns: dict[str, list[object]] = {
        "Slice": [_SLICE.format(s.name, s.words) for s in slices],
        "Rows": [s.rows for s in slices],
        "Share": [percent(s.share) for s in slices],
        "Entities": ["" if s.entities is None else s.entities for s in slices],
        "Label": ["" if s.label is None else s.label for s in slices],
        "Interval": [interval(s.label_low, s.label_high) for s in slices],
        "Others": [chip("warn", "differs") if s.different else "" for s in slices],
        "Test rows": [s.test_rows for s in slices],
        "Detectable loss": ["" if s.detectable is None or not s.judged else s.detectable for s in slices],
        "Gate": [chip("pass", "judged") if s.judged else chip("skip", "too few") for s in slices],
    }
    shown = {name: values for name, values in columns.items() if any(v != "" for v in values)}
    left = ("Slice", "Others", "Gate")
    right = {i for i, name in enumerate(shown) if name not in left}
    return table(list(shown), zip(*shown.values(), strict=True), numeric=right, caption="The long tail")


def _short(one: TailSlice) -> str:
    return one.name.removeprefix("long_tail:")


def _rate(strategy: Strategy) -> float | None:
    if strategy.task != "binary" or not strategy.classes:
        return None
    return dict(strategy.classes).get(strategy.positive or "", 0) / sum(n for _, n in strategy.classes)
