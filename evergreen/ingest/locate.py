"""Find a source's files: local, s3:// or gs://, by pattern and by date span."""

import glob
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from evergreen.errors import DataError
from evergreen.near import did_you_mean
from evergreen.project.model import Source
from evergreen.storage import open_store
from evergreen.tables.names import listed

_SPAN_PARTS = {"{YYYY}": r"\d{4}", "{MM}": r"\d{2}", "{DD}": r"\d{2}", "{HH}": r"\d{2}"}
_TOKENS = re.compile(r"(\*\*/?|\*|\{YYYY\}|\{MM\}|\{DD\}|\{HH\})")
_DELTA_LOG = "_delta_log"


@dataclass(frozen=True)
class Found:
    """One file, or one Delta table's folder.

    Attributes:
        uri: Where it is.
        size: Bytes; 0 for a remote one, whose size is known once it is fetched.
        span: Its date, such as `2017-03-05` or `2017-03-05T07`; empty when the path has no date pattern.
        delta: Whether it is a Delta table's folder.
    """

    uri: str
    size: int
    span: str = ""
    delta: bool = False


@dataclass(frozen=True)
class Located:
    """A source's files in order of span and name, and the spans missing between the first and the last."""

    files: tuple[Found, ...]
    spans: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()


def is_remote(uri: str) -> bool:
    """Whether a path lies in an object store."""
    return uri.startswith(("s3://", "gs://"))


def locate(name: str, source: Source, as_of: datetime | None = None, endpoint: str | None = None) -> Located:
    """Expand a source's paths to the files to read.

    Args:
        name: The source's name, for errors.
        source: Its section of the project file; `path` is set.
        as_of: Spans that begin later are left out.
        endpoint: Of the S3 server; default: from the environment.

    Raises:
        DataError: when a path finds nothing, or a span is not there; near names are offered.
        StorageError: when the object store refuses.
    """
    paths = [source.path] if isinstance(source.path, str) else list(source.path or ())
    if (source.last or source.span) and not any(has_span(p) for p in paths):
        raise DataError(
            f"sources.{name}.path",
            "`last` or `span` is given, but no path holds a date pattern",
            "{YYYY}, {MM}, …",
        )
    files = [f for path in paths for f in _expand(name, path, endpoint)]
    if not any(has_span(p) for p in paths):
        return Located(tuple(files))
    return _chosen(name, source, files, as_of)


def has_span(path: str) -> bool:
    """Whether a path holds a part of a date."""
    return any(part in path for part in _SPAN_PARTS)


def _expand(name: str, path: str, endpoint: str | None) -> list[Found]:
    found = sorted(
        _remote(path, endpoint) if is_remote(path) else _local(path), key=lambda f: (f.span, f.uri)
    )
    if not found:
        raise DataError(f"source {name}", f"nothing is at {path}", remedy=_near(path, endpoint))
    return found


def _local(path: str) -> Iterator[Found]:
    pattern = "".join(_local_token(piece) for piece in _TOKENS.split(path))
    matcher = re.compile(_regex(path))
    for match in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute one
        named = matcher.fullmatch(match)
        if named is None:
            continue
        span = _span(named)
        candidate = Path(match)
        if candidate.is_file():
            yield Found(match, candidate.stat().st_size, span)
        elif (candidate / _DELTA_LOG).is_dir():
            yield Found(match, _size(candidate), span, delta=True)
        else:
            files = sorted(
                f for f in candidate.rglob("*") if f.is_file() and _is_data(f.relative_to(candidate).parts)
            )
            yield from (Found(str(f), f.stat().st_size, span) for f in files)


def _size(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*.parquet"))


def _local_token(piece: str) -> str:
    if piece in _SPAN_PARTS:
        return "[0-9]" * (4 if piece == "{YYYY}" else 2)
    return piece if piece.startswith("*") else glob.escape(piece)


def _is_data(parts: Sequence[str]) -> bool:
    return not any(part.startswith(("_", ".")) for part in parts)


def _regex(path: str) -> str:
    """A regular expression for a path with patterns; a part of a date that stands twice must agree."""
    seen: set[str] = set()
    out = []
    for piece in _TOKENS.split(path):
        if piece in _SPAN_PARTS:
            group = piece.strip("{}")
            out.append(f"(?P={group})" if group in seen else f"(?P<{group}>{_SPAN_PARTS[piece]})")
            seen.add(group)
        elif piece.startswith("**"):
            out.append("(?:.*/)?" if piece.endswith("/") else ".*")
        else:
            out.append("[^/]*" if piece == "*" else re.escape(piece))
    return "".join(out)


def _span(match: re.Match[str]) -> str:
    parts = match.groupdict()
    day = "-".join(parts[p] for p in ("YYYY", "MM", "DD") if parts.get(p))
    return day + (f"T{parts['HH']}" if parts.get("HH") else "")


def _remote(path: str, endpoint: str | None) -> Iterator[Found]:
    """List the folder before the first pattern and keep what matches; a folder's path takes all below it."""
    scheme, _, rest = path.partition("://")
    bucket, _, key = rest.partition("/")
    root = f"{scheme}://{bucket}"
    store = open_store(root, endpoint=endpoint)
    literal = _TOKENS.split(key)[0]
    if literal == key and not key.endswith("/") and store.exists(key):
        yield Found(path, 0)
        return
    folder = key.rstrip("/") if literal == key else literal.rpartition("/")[0]
    matcher = re.compile(_regex(key.rstrip("/")) + r"(?P<below>/.*)?")
    matches = [m for m in map(matcher.fullmatch, (e.key for e in store.list(folder))) if m]
    deltas = {_table(m) for m in matches if f"/{_DELTA_LOG}/" in f"{m['below'] or ''}/"}
    seen = set()
    for match in matches:
        table = _table(match)
        if table not in deltas and _is_data((match["below"] or "").strip("/").split("/")):
            yield Found(f"{root}/{match.string}", 0, _span(match))
        elif table in deltas and table not in seen:
            seen.add(table)
            yield Found(f"{root}/{table}", 0, _span(match), delta=True)


def _table(match: re.Match[str]) -> str:
    return match.string[: match.start("below")] if match["below"] else match.string


def _chosen(name: str, source: Source, files: Sequence[Found], as_of: datetime | None) -> Located:
    present = sorted({f.span for f in files})
    spans = [s for s in present if as_of is None or _begins(s) <= as_of]
    if source.span is not None:
        spans = [s for s in spans if s == source.span or s.startswith(f"{source.span}-")]
    elif source.last is not None:
        spans = spans[-source.last :]
    if not spans:
        asked = source.span or f"as of {as_of:%Y-%m-%d}" if source.span or as_of else ""
        remedy = did_you_mean(source.span or "", present)
        raise DataError(
            f"source {name}", f"no span {asked}".rstrip(), f"one of {listed(present[-12:])}", remedy
        )
    kept = tuple(f for f in files if f.span in set(spans))
    return Located(kept, tuple(spans), tuple(_gaps(spans)))


def _begins(span: str) -> datetime:
    day, _, hour = span.partition("T")
    year, month, date = (int(n) for n in [*day.split("-"), "1", "1"][:3])
    try:
        return datetime(year, month, date, int(hour or 0))
    except ValueError:
        raise DataError(f"span {span}", "no such date", "a date of the calendar in the path") from None


def _gaps(spans: Iterable[str]) -> Iterator[str]:
    """The days or hours between the first and the last span that have none; months are not checked."""
    have = sorted(spans)
    if len(have[0]) < len("2017-03-05"):
        return
    hourly = "T" in have[0]
    step = timedelta(hours=1) if hourly else timedelta(days=1)
    shown = "%Y-%m-%dT%H" if hourly else "%Y-%m-%d"
    known, at, end = set(have), _begins(have[0]), _begins(have[-1])
    while at < end:
        if f"{at:{shown}}" not in known:
            yield f"{at:{shown}}"
        at += step


def _near(path: str, endpoint: str | None) -> str:
    folder, _, last = path.rstrip("/").rpartition("/")
    if _TOKENS.search(folder):
        return "Check the pattern."
    if is_remote(path):
        scheme, _, rest = folder.partition("://")
        bucket, _, prefix = rest.partition("/")
        entries = open_store(f"{scheme}://{bucket}", endpoint=endpoint).list(prefix) if bucket else ()
        names = sorted({e.key[len(prefix) :].strip("/").split("/")[0] for e in entries})
    elif Path(folder or "/").is_dir():
        names = sorted(p.name for p in Path(folder or "/").iterdir())
    else:
        return f"There is no folder {folder}."
    near = did_you_mean(_TOKENS.sub("", last), names)
    return near or (f"That folder holds {listed(names, 8)}." if names else "That folder is empty.")
