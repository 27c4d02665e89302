"""What no single field can know: whether the sections of a project file fit together.

The checks read the file's plain data, not the model, so that they also run, and report, when some other field
is wrong.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from evergreen.project.document import Document
from evergreen.project.paths import check_options, check_uri, has_span
from evergreen.project.semantics_model import check_model
from evergreen.project.semantics_rollout import check_rollout
from evergreen.project.view import View, column_list, mapping
from evergreen.project.wording import Path, did_you_mean, listed


def check_meaning(document: Document) -> None:
    """Record every contradiction between sections; works on what is there, however wrong the rest is."""
    if not isinstance(document.data, dict):
        return
    view = View(document)
    _check_storage(view)
    for name, source in view.sources.items():
        _check_source(view, name, source)
    _check_label(view)
    _check_features(view)
    _check_other_references(view)
    check_model(view)
    check_rollout(view)
    _check_prometheus(view)


def _check_storage(view: View) -> None:
    for field in ("root", "endpoint"):
        uri = mapping(view.data.get("storage")).get(field)
        if isinstance(uri, str) and field == "root":
            check_uri(view.document, ("storage", field), uri)
        elif isinstance(uri, str):
            check_endpoint(view.document, ("storage", field), uri)


def _check_prometheus(view: View) -> None:
    url = mapping(mapping(view.data.get("rollout")).get("guardrails")).get("prometheus")
    if isinstance(url, str) and url:
        check_endpoint(view.document, ("rollout", "guardrails", "prometheus"), url)


def check_endpoint(document: Document, where: Path, uri: str) -> None:
    """Record an endpoint that is no http(s) URL, or that carries credentials."""
    if "@" in uri:
        document.add(where, "a URL with credentials in it", "a URL without")
    elif not uri.startswith(("http://", "https://")):
        document.add(where, "no http:// or https:// URL", "a URL such as http://minio:9000")


def _check_source(view: View, name: str, source: dict[str, Any]) -> None:
    where: Path = ("sources", name)
    document = view.document
    path = source.get("path")
    for index, uri in enumerate(path if isinstance(path, list) else [path]):
        if isinstance(uri, str):
            field = (*where, "path", *([index] if isinstance(path, list) else []))
            check_uri(document, field, uri, patterns=True)
    if path == []:
        document.add((*where, "path"), "an empty list", "at least one path")
    check_options(document, (*where, "options"), mapping(source.get("options")))
    if isinstance(source.get("sql"), str) and path is None:
        for extra in sorted({"format", "options", "span", "last"} & set(source)):
            document.add((*where, extra), "given for a `sql` source", "only for files at `path`")
    elif path is not None and not has_span(path):
        for extra in sorted({"span", "last"} & set(source)):
            remedy = "Put the date into the path, such as day={YYYY}-{MM}-{DD}."
            document.add(
                (*where, extra), "given, but `path` has no date pattern", "a pattern in `path`", remedy
            )
    if source.get("span") is not None and source.get("last") is not None:
        document.add((*where, "span"), "both `span` and `last`", "one of them")
    if _long(source.get("delay")) and source.get("time") is None:
        document.add(
            (*where, "delay"), "a delay, but the source has no `time`", "`time`: the delay counts from it"
        )
    for reference in ("time", "key"):
        view.check_columns(name, column_list(source.get(reference)), (*where, reference))
    for column in mapping(source.get("types")):
        view.check_columns(name, [column], (*where, "types", column), whole=True)


def _long(duration: object) -> bool:
    return duration is not None and str(duration).strip().rstrip("wdhms") not in ("0", "0.0")


def _check_label(view: View) -> None:
    label, document = view.label, view.document
    view.check_source(label.get("source"), ("label", "source"))
    source = view.label_source
    for field in ("column", "key"):
        view.check_columns(source, column_list(label.get(field)), ("label", field))
    view.check_columns(source, view.entity, ("entity",))
    if view.time is not None:
        view.check_columns(source, [view.time], ("time",))
    for field in ("maturity", "observed_until"):
        given = _long(label.get(field)) if field == "maturity" else label.get(field) is not None
        if given and view.time is None:
            expected = "`time`: the column of the label's source that says when the label was asked for"
            document.add(("label", field), f"`{field}`, but the project has no `time`", expected)
    column = label.get("column")
    if isinstance(column, str):
        if column in view.entity:
            document.add(("entity",), f"the label's column {column!r}", "columns that name the entity")
        if column == view.time:
            document.add(("time",), f"the label's column {column!r}", "a column with times")
    for place in ("entity", "label.key"):
        columns = view.entity if place == "entity" else column_list(label.get("key"))
        _check_unique(view, columns, tuple(place.split(".")))


def _check_unique(view: View, columns: Iterable[str], where: Path) -> None:
    seen: set[str] = set()
    for column in columns:
        if column in seen:
            view.document.add(where, f"{column!r} twice", "each column once")
        seen.add(column)


def _check_features(view: View) -> None:
    names: dict[str, int] = {}
    for index, group in view.groups:
        where: Path = ("features", index)
        name = group.get("name")
        if isinstance(name, str):
            if name in names:
                line = view.document.line(("features", names[name], "name"))
                view.document.add((*where, "name"), f"{name!r}, as on line {line}", "each name once")
            names.setdefault(name, index)
        view.check_source(group.get("source"), (*where, "source"))
        _check_group_columns(view, group, where)
        _check_group_join(view, group, where)


def _check_group_columns(view: View, group: dict[str, Any], where: Path) -> None:
    source = group.get("source")
    columns = column_list(group.get("columns"))
    if columns != ["*"]:
        view.check_columns(source, columns, (*where, "columns"))
        _check_unique(view, columns, (*where, "columns"))
    elif group.get("columns") == ["*"]:
        view.document.add((*where, "columns"), "a list of `*`", "the word alone", 'Write `columns: "*"`.')
    view.check_columns(source, column_list(group.get("exclude")), (*where, "exclude"))
    if group.get("exclude") and columns != ["*"]:
        view.document.add(
            (*where, "exclude"), "`exclude` with listed columns", '`exclude` only with `columns: "*"`'
        )
    label = view.label.get("column")
    if source == view.label_source and source is not None and label in columns:
        found = f"the label's own column {label!r}"
        view.document.add((*where, "columns"), found, "columns that are known before the label")
    for number, aggregate in _aggregates(group):
        view.check_columns(
            source, column_list(aggregate.get("column")), (*where, "aggregates", number, "column")
        )


def _aggregates(group: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    given = group.get("aggregates")
    for number, aggregate in enumerate(given if isinstance(given, list) else []):
        if isinstance(aggregate, dict):
            yield number, aggregate


def _check_group_join(view: View, group: dict[str, Any], where: Path) -> None:
    document, name = view.document, group.get("source")
    source = view.sources.get(name) if isinstance(name, str) else None
    if source is None:
        return
    own = name == view.label_source
    on = column_list(group.get("on"))
    aggregates = bool(group.get("aggregates"))
    if on:
        view.check_columns(name, on, (*where, "on"))
        view.check_columns(view.label_source, on, (*where, "on"))
    elif "on" not in group and (aggregates or not own):
        if view.data.get("entity", []) == []:
            expected = (
                f"`on` here or `entity` in the project: the columns that join {name!r} with the label's rows"
            )
            document.add((*where, "on"), "missing", expected)
        else:
            view.check_columns(name, view.entity, where, "The project's `entity` joins; or give `on`.")
    if aggregates and source.get("time") is None:
        found = f"aggregates over {name!r}, which has no `time`"
        document.add((*where, "aggregates"), found, f"`time` in `sources.{name}`: windows need it")
    needs = aggregates or (source.get("time") is not None and not own)
    if needs and view.time is None:
        found = "aggregates" if aggregates else f"{name!r} has a time"
        expected = "`time`: the column of the label's source that says as of when"
        document.add(where, f"{found}, but the project has no `time`", expected)
    if group.get("tolerance") is not None and (own or source.get("time") is None):
        expected = "`tolerance` only for another source with `time`"
        document.add((*where, "tolerance"), "a tolerance, but no join by time", expected)


def _check_other_references(view: View) -> None:
    predict = mapping(view.data.get("predict"))
    if predict.get("source") is not None:
        view.check_source(predict.get("source"), ("predict", "source"))
    labellers = mapping(mapping(mapping(view.data.get("gates")).get("labels")).get("labellers"))
    if labellers.get("source") is not None:
        view.check_source(labellers.get("source"), ("gates", "labels", "labellers", "source"))
    decisions = view.label.get("decisions")
    if isinstance(decisions, str):
        check_uri(view.document, ("label", "decisions"), decisions)
    repair = mapping(view.data.get("repair"))
    for name, policies in repair.items():
        if name not in view.sources:
            known = list(view.sources)
            view.document.add(("repair", name), "unknown source", listed(known), did_you_mean(name, known))
        for column in mapping(policies):
            view.check_columns(name, [column], ("repair", name, column), whole=True)
