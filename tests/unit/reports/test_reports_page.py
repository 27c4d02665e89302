"""Pages: self-contained, nothing escapes its cell, verdicts are words as well as colours, contrast holds."""

import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from evergreen.decisions import Decision
from evergreen.reports.page import (
    Section,
    anchor,
    chip,
    code,
    decisions_table,
    details,
    figure,
    note,
    page,
    pre,
    table,
    text,
    tiles,
    worst,
)

VOID = {"meta", "link", "input", "br", "img", "hr", "path", "rect", "circle"}
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&<style>"


class Balanced(HTMLParser):
    """Collects tags and attributes, and notes an element that is closed out of turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.faults: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.faults.append(tag)

    def handle_data(self, data):
        self.words += data


def parsed(html: str) -> Balanced:
    reader = Balanced()
    reader.feed(html)
    reader.close()
    assert not reader.faults and not reader.open, (reader.faults, reader.open)
    return reader


def blocks(words: str) -> list[str]:
    return [
        text(words),
        note(words, words),
        tiles({words: words, "n": (1.5, words)}),
        chip("pass", words),
        code(words),
        table([words, "n"], [[words, 2.0]], numeric={1}, caption=words),
        pre(words),
        figure("<svg></svg>", words),
        details(words, text(words)),
        decisions_table([Decision(words, words, "fail", words, slice=words)]),
    ]


@given(st.text(max_size=60) | st.just(HOSTILE))
def test_whatever_the_words_the_page_stays_whole_and_shows_them(words):
    reader = parsed(page(words, [Section(words, blocks(words))], subtitle=words, verdict=words))
    assert [t for t, _ in reader.seen].count("script") == 1 and [t for t, _ in reader.seen].count(
        "style"
    ) == 1
    assert not {t for t, _ in reader.seen} & {"img", "link", "object", "embed"}


def test_nothing_is_fetched():
    html = page("t", [Section("s", blocks("x"))], status="warn")
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)|@import|url\(""", html)
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")


def test_the_verdict_is_a_word_a_mark_and_a_colour():
    for status, word in (("pass", "Passed"), ("warn", "Passed, with warnings"), ("fail", "Failed")):
        html = page("t", [], status=status)
        assert f'class="banner {status}"' in html and word in html
    assert "banner" not in page("t", [], status="none").split("</style>")[1].split("<script>")[0]
    assert "All is well." in page("t", [], status="pass", verdict="All is well.")


def test_sections_without_blocks_are_left_out_and_many_get_links():
    few = page("t", [Section("one", [text("x")]), Section("none", [])])
    assert "none</h2>" not in few and "<nav" not in few
    many = parsed(page("t", [Section(f"part {k}", [text("x")]) for k in range(4)]))
    targets = {a.get("id") for _, a in many.seen}
    links = [a["href"] for t, a in many.seen if t == "a"]
    assert len(links) == 4 and all(link[1:] in targets for link in links)
    assert anchor("Größe & more", 2) == "s2-gr-e-more"


def test_tables_align_numbers_sort_by_value_and_get_a_filter_when_long():
    html = table(["a", "b"], [["x", 1234.5], ["y", None]], numeric={1})
    assert '<th scope="col" class="n">b</th>' in html and 'data-v="1234.5">1,23' in html and "–" in html
    assert "data-filter" not in html
    assert "data-filter" in table(["a"], [[str(k)] for k in range(16)])
    assert "Nothing to show" in table(["a"], [])


def test_a_block_in_a_cell_stays_a_block():
    assert "<code>x</code>" in table(["a"], [[code("x")]])
    assert isinstance(table(["a"], [["x"]]), Markup)


def test_decisions_put_the_noes_first_and_leave_out_empty_columns():
    listed = [
        Decision("g", "b", "pass", "fine"),
        Decision("g", "c", "fail", "bad"),
        Decision("g", "a", "warn", "hm"),
    ]
    html = decisions_table(listed)
    assert html.index("bad") < html.index("hm") < html.index("fine")
    assert "Interval" not in html and "Slice" not in html
    full = decisions_table([Decision("g", "a", "fail", "r", 0.5, 0.25, (0.1, 0.3), "age=1")])
    assert all(w in full for w in ("Interval", "Slice", "age=1", "0.2500", "0.1000 to 0.3000"))
    assert worst(listed) == "fail" and worst([]) == "none" and worst(listed[:1]) == "pass"


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(theme):
    css = files("evergreen.reports").joinpath("page.css").read_text()
    blocks_ = re.findall(r":root \{(.*?)\}", css, flags=re.S)
    values = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})\b", blocks_[theme]))
    pairs = [
        ("text", "bg"),
        ("text", "card"),
        ("text", "soft"),
        ("muted", "bg"),
        ("muted", "card"),
        ("muted", "soft"),
        ("accent", "card"),
    ]
    pairs += [(s, f"{s}-bg") for s in ("pass", "warn", "fail")] + [
        ("text", f"{s}-bg") for s in ("info", "pass", "warn", "fail")
    ]
    assert {
        p: round(contrast(values[p[0]], values[p[1]]), 2)
        for p in pairs
        if contrast(values[p[0]], values[p[1]]) < 4.5
    } == {}
    for line in ("c1", "c2", "c3", "c4", "c5", "c6"):
        assert contrast(values[line], values["card"]) >= 3, line
