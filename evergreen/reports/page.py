"""One self-contained HTML page: sections of blocks, a verdict on top, nothing fetched from anywhere.

The page reads well in light and dark, at 1280 and at 400 px, on paper, and in the sandboxed frame of the
KFP interface. A block is trusted HTML made by the functions below; each of them escapes what it is given,
except what is itself a block (`markupsafe.Markup`).
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from jinja2 import Environment, Template
from markupsafe import Markup, escape

from evergreen.decisions import Decision
from evergreen.reports.text import interval, number

Status = Literal["pass", "warn", "fail", "none"]
_MARKS = {"pass": "✓", "warn": "!", "fail": "✕", "skip": "–", "none": "·", "running": "…"}
_WORDS = {"pass": "Passed", "warn": "Passed, with warnings", "fail": "Failed", "none": ""}


@dataclass(frozen=True)
class Section:
    """A titled part of a page; `blocks` are HTML strings from this module, figures stand side by side."""

    title: str
    blocks: Sequence[str]


def page(
    title: str, sections: Sequence[Section], *, subtitle: str = "", status: Status = "none", verdict: str = ""
) -> str:
    """The whole page as one HTML text.

    Args:
        title: What the page is about, such as the task's name.
        sections: The page's parts, in order; those without blocks are left out.
        subtitle: One line below the title.
        status: The colour and the mark of the banner; `none` shows no banner unless `verdict` is given.
        verdict: The banner's sentence; by default a word for the status.
    """
    shown = [s for s in sections if s.blocks]
    return _template().render(
        title=title,
        subtitle=subtitle,
        status=status,
        verdict=verdict or _WORDS[status],
        mark=_MARKS[status],
        sections=[
            (anchor(s.title, i), s.title, [_trusted(b) for b in s.blocks]) for i, s in enumerate(shown)
        ],
        style=_trusted(_asset("page.css")),
        script=_trusted(_asset("page.js")),
    )


def anchor(title: str, index: int) -> str:
    """The identifier that a link to a section names."""
    return f"s{index}-{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}"


def text(words: str) -> Markup:
    """A paragraph."""
    return Markup("<p>{}</p>").format(words)


def note(words: str, kind: str = "info") -> Markup:
    """A remark in a box; `kind` is info, pass, warn or fail."""
    known = kind if kind in ("info", "pass", "warn", "fail") else "info"
    return Markup('<div class="note {}" role="note">{}</div>').format(known, words)


def tiles(values: Mapping[str, object]) -> Markup:
    """Key figures side by side: label → value; a value `(figure, remark)` gets a small line below."""
    return Markup('<dl class="tiles">{}</dl>').format(
        Markup("").join(_tile(label, value) for label, value in values.items())
    )


def _tile(label: str, value: object) -> Markup:
    figure, remark = value if isinstance(value, tuple) else (value, "")
    small = Markup('<dd class="remark">{}</dd>').format(remark) if remark else Markup("")
    return Markup("<div><dt>{}</dt><dd>{}</dd>{}</div>").format(label, _cell(figure), small)


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numeric: Collection[int] = (),
    caption: str = "",
) -> Markup:
    """A table that scrolls inside its own box; click on a header to sort, long tables get a filter.

    Args:
        headers: The column names.
        rows: Text, numbers (shown in few digits) or blocks, one for each header.
        numeric: Indexes of the columns that are aligned right.
        caption: What the table shows, for people who cannot see it.
    """
    right = set(numeric)
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_right(i in right), h) for i, h in enumerate(headers)
    )
    lines = [
        Markup("<tr>{}</tr>").format(
            Markup("").join(
                Markup("<td{}{}>{}</td>").format(_right(i in right), _sort_key(v), _cell(v))
                for i, v in enumerate(row)
            )
        )
        for row in rows
    ]
    if not lines:
        return Markup('<p class="muted">Nothing to show.</p>')
    label = caption or ", ".join(headers)
    return Markup(
        '<div class="table" role="region" tabindex="0" aria-label="{}"><table{}><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(
        label,
        Markup(' data-filter=""') if len(lines) > 15 else Markup(""),
        head,
        Markup("\n").join(lines),
    )


def _right(yes: bool) -> Markup:
    return Markup(' class="n"') if yes else Markup("")


def _sort_key(value: object) -> Markup:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return Markup(' data-v="{}"').format(f"{value:.12g}")
    return Markup("")


def _cell(value: object) -> Markup:
    if isinstance(value, Markup):
        return value
    return escape(value if isinstance(value, str) else number(value))


def figure(svg: str, caption: str = "") -> Markup:
    """A chart of `evergreen.reports.charts` (trusted SVG) with a line below it."""
    below = Markup("<figcaption>{}</figcaption>").format(caption) if caption else Markup("")
    return Markup("<figure>{}{}</figure>").format(_trusted(svg), below)


def details(summary: str, *blocks: str) -> Markup:
    """Blocks that open on a click."""
    body = Markup("\n").join(_trusted(b) for b in blocks)
    return Markup('<details><summary>{}</summary><div class="blocks">{}</div></details>').format(
        summary, body
    )


def chip(kind: str, words: str = "") -> Markup:
    """A verdict as a small coloured mark with its word: pass, warn, fail, skip or none."""
    known = kind if kind in _MARKS else "none"
    return Markup('<span class="chip {}"><i aria-hidden="true">{}</i>{}</span>').format(
        known, _MARKS[known], words or kind
    )


def code(words: str) -> Markup:
    """A name, a digest or a path in fixed width, to stand in a cell or a tile."""
    return Markup("<code>{}</code>").format(words)


def pre(words: str) -> Markup:
    """A block of fixed-width text, such as a file or a traceback, that scrolls inside its own box."""
    return Markup('<pre tabindex="0">{}</pre>').format(words)


def decisions_table(decisions: Sequence[Decision]) -> Markup:
    """What a gate checked: the noes first, then warnings, passes and what was skipped."""
    order = {"fail": 0, "warn": 1, "pass": 2, "skip": 3}
    ranked = sorted(decisions, key=lambda d: order[d.verdict])
    columns: dict[str, list[object]] = {
        "Verdict": [chip(d.verdict) for d in ranked],
        "Reason": [Markup('<span class="reason">{}</span>').format(d.reason) for d in ranked],
        "Check": [Markup('<span class="once">{}</span>').format(d.check) for d in ranked],
        "Slice": [d.slice if d.slice != "overall" else "" for d in ranked],
        "Observed": ["" if d.observed is None else d.observed for d in ranked],
        "Interval": [interval(*d.interval) if d.interval else "" for d in ranked],
        "Threshold": ["" if d.threshold is None else d.threshold for d in ranked],
    }
    shown = {name: values for name, values in columns.items() if any(v != "" for v in values)}
    right = {i for i, name in enumerate(shown) if name in ("Observed", "Interval", "Threshold")}
    rows = list(zip(*shown.values(), strict=True))
    return table(list(shown), rows, numeric=right, caption="Decisions of the gate")


def worst(decisions: Iterable[Decision]) -> Status:
    """The status of a page that shows these decisions: fail over warn over pass; `none` for none."""
    verdicts = {d.verdict for d in decisions}
    ranked: tuple[Status, ...] = ("fail", "warn", "pass")
    for status in ranked:
        if status in verdicts:
            return status
    return "none"


def _trusted(html: str) -> Markup:
    """A block, a chart or a file of this package: HTML that was escaped where it was made."""
    return Markup(html)  # noqa: S704


@cache
def _asset(name: str) -> str:
    return (files("evergreen.reports") / name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        _asset("page.html.j2")
    )
