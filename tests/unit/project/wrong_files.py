"""Wrong project files, by what is wrong with them; wrong_files.txt holds what they are told.

`python tests/unit/project/wrong_files.py` writes that file anew: read the difference before you keep it.
"""

from pathlib import Path

from evergreen.errors import ProjectError
from evergreen.project import parse_project

GOLDEN = Path(__file__).with_suffix(".txt")

RIGHT = """\
name: demo
sources:
  orders:
    path: data/orders.csv
    time: placed
  visits:
    path: data/visits.parquet
    time: at
entity: customer
time: placed
label:
  source: orders
  column: returned
features:
  - name: order
    source: orders
    columns: "*"
"""
VISITS = """\
  - name: visits
    source: visits
    aggregates:
      - {functions: [count], windows: [7d, 30d]}
"""
RIGHT += VISITS


def changed(old: str, new: str) -> str:
    """The right file with one change."""
    assert old in RIGHT
    return RIGHT.replace(old, new)


WRONG = {
    "unknown field": changed("    time: at\n", "    tiem: at\n    time: at\n"),
    "unknown top-level field": RIGHT + "lable: {}\n",
    "missing field": changed("  column: returned\n", ""),
    "missing section": changed("label:\n  source: orders\n  column: returned\n", ""),
    "not a choice": RIGHT + "split: {method: tiem}\n",
    "list item not a choice": changed("[count]", "[count, summ]"),
    "out of range": RIGHT + "split: {test: 1.5}\n",
    "not a whole number": RIGHT + "model: {tune: {trials: many, space: {alpha: {choices: [1]}}}}\n",
    "duration without unit": changed("  column: returned\n", "  column: returned\n  maturity: 30\n"),
    "number for a column": changed("  column: returned", "  column: 2017"),
    "true for a column": changed("  column: returned", "  column: true"),
    "text for a mapping": RIGHT + "split: time\n",
    "mapping for a list": changed("features:\n", "features:\n  first:\n").replace("  - name", "    - name"),
    "bad name": changed("name: demo", "name: Demo project"),
    "bad source name": changed("  visits:\n", "  2visits:\n"),
    "path and sql": changed(
        "    path: data/visits.parquet\n", "    path: data/visits.parquet\n    sql: SELECT 1\n"
    ),
    "neither path nor sql": changed("    path: data/visits.parquet\n", ""),
    "sum without column": changed("functions: [count]", "functions: [sum]"),
    "no windows": changed(", windows: [7d, 30d]", ""),
    "range upside down": RIGHT + "model: {tune: {space: {alpha: {low: 2, high: 1}}}}\n",
    "range with a typo": RIGHT + "model: {tune: {space: {alpha: {low: 1, hihg: 2}}}}\n",
    "log from zero": RIGHT + "model: {tune: {space: {alpha: {low: 0, high: 1, log: true}}}}\n",
    "estimator not sklearn": RIGHT + "model: {estimator: xgboost.XGBClassifier}\n",
    "unknown source": changed("  source: orders\n  column", "  source: order\n  column"),
    "unknown predict source": RIGHT + "predict: {source: visit}\n",
    "unknown repair source": RIGHT + "repair: {visit: {page: {invalid: drop}}}\n",
    "two groups of one name": changed("  - name: visits", "  - name: order"),
    "aggregates without time": changed("    time: at\n", ""),
    "no time in project": changed("time: placed\nlabel", "label"),
    "no entity": changed("entity: customer\n", ""),
    "maturity without time": RIGHT.replace("time: placed\nlabel", "label")
    .replace(
        VISITS,
        "",
    )
    .replace("  column: returned", "  column: returned\n  maturity: 30d"),
    "label as feature": changed('columns: "*"', "columns: [amount, returned]"),
    "column not kept": changed(
        "    path: data/visits.parquet\n", "    path: data/visits.parquet\n    columns: [custmer, at]\n"
    ),
    "metric of another task": RIGHT + "task: regression\nevaluation: {primary: roc_auc}\n",
    "gate metric of another task": RIGHT
    + "task: binary\ngates: {model: {thresholds: [{metric: rmse, max: 3}]}}\n",
    "gate without bound": RIGHT + "gates: {model: {thresholds: [{metric: roc_auc}]}}\n",
    "slice that is not made": RIGHT
    + "slices: [{column: country}]\n"
    + "gates: {model: {thresholds: [{metric: roc_auc, min: 0.6, slice: contry=DE}]}}\n",
    "edges out of order": RIGHT + "slices: [{column: age, edges: [40, 18]}]\n",
    "ranking without group": RIGHT + "task: ranking\n",
    "entity split without entity": RIGHT.replace("entity: customer\n", "").replace(
        "    source: visits\n", "    source: visits\n    on: customer\n"
    )
    + "split: {method: entity}\n",
    "credentials": changed("data/orders.csv", "s3://AKIA123:hunter2@bucket/orders.csv"),
    "secret option": changed("    time: at\n", "    time: at\n    options: {secret_key: hunter2}\n"),
    "environment variable": changed("data/orders.csv", "${DATA}/orders.csv"),
    "unknown scheme": changed("data/orders.csv", "s4://bucket/orders.csv"),
    "unknown pattern": changed("data/orders.csv", "data/{YYY}/orders.csv"),
    "last without pattern": changed("    time: at\n", "    time: at\n    last: 7\n"),
    "duplicate key": changed("entity: customer", "entity: customer\nname: again"),
    "tab": changed("    time: at", "\ttime: at"),
    "unclosed quote": changed("entity: customer", "entity: 'customer"),
    "bad indentation": changed("  column: returned", "   column: returned"),
    "undefined alias": changed("entity: customer", "entity: *who"),
    "two documents": RIGHT + "---\n" + RIGHT,
    "list at the top": "- a\n- b\n",
    "text at the top": "hello\n",
    "empty": "",
    "comment only": "# nothing\n",
    "tag": changed("entity: customer", "entity: !!python/object:os.system customer"),
    "version": RIGHT + "version: 2\n",
    "too long a duration": changed("[7d, 30d]", "[7d, 3000000d]"),
    "several": changed("    time: at\n", "    tiem: at\n")
    + "split: {method: tiem, test: 2}\ntask: regression\nevaluation: {primary: rocauc}\n",
}


def told(text: str) -> list[str]:
    """The problems of a file, one a line."""
    try:
        parse_project(text, "project.yaml")
    except ProjectError as error:
        return [str(problem) for problem in error.problems]
    return []


def golden() -> dict[str, list[str]]:
    """What stands in wrong_files.txt, by case."""
    cases = GOLDEN.read_text().removeprefix("== ").split("\n\n== ")
    return {lines[0]: lines[1:] for lines in (case.strip().split("\n") for case in cases)}


if __name__ == "__main__":
    GOLDEN.write_text("\n\n".join("\n".join([f"== {k}", *told(t)]) for k, t in WRONG.items()) + "\n")
