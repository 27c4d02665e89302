"""Which versions of a kept table may go, why, and how their files are removed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from evergreen import log
from evergreen.history.versions.deltalog import Version, read_log
from evergreen.history.versions.snapshots import ask, open_table
from evergreen.project.model import Retention, format_duration
from evergreen.registry import Registry
from evergreen.storage import Store, open_store

_log = log.get(__name__)
# A run that is under way has written its snapshot and named it nowhere yet.
GRACE = timedelta(days=1)
# A writer that is under way has files that no commit names yet.
_ORPHAN_HOURS = 7 * 24


@dataclass(frozen=True)
class Kept:
    """What retention says of one version: whether it stays, why, and the bytes that only it holds."""

    version: Version
    stays: bool
    reason: str
    frees: int


@dataclass(frozen=True)
class Plan:
    """What a table's retention would do.

    Attributes:
        uri: The table.
        versions: Every version, oldest first.
        files: The data files to remove, with their bytes: of dropped versions, and of writers that died.
        orphans: Those among them that no version ever named.
    """

    uri: str
    versions: tuple[Kept, ...]
    files: Mapping[str, int]
    orphans: tuple[str, ...]

    @property
    def frees(self) -> int:
        """The bytes of the files to remove, as far as they are known."""
        return sum(self.files.values())


def judge(
    versions: Sequence[Version], rules: Retention, named: Mapping[str, str], now: datetime, grace: timedelta
) -> list[Kept]:
    """Say of every version whether it stays, and why.

    Args:
        versions: Oldest first.
        rules: How many and how young; without a rule everything stays.
        named: Digests that registered models name, with the models.
        now: The time now, with a zone.
        grace: Versions younger than this stay in any case.
    """
    newest = {v.version for v in versions[len(versions) - (rules.versions or 0) :]}
    stays = {v.version: _why(v, versions[-1], rules, named, now, grace, newest) for v in versions}
    held = {f.path for v in versions if stays[v.version] for f in v.files}
    found = []
    for v in versions:
        reason = stays[v.version]
        frees = 0 if reason else sum(f.size for f in v.files if f.path not in held)
        gone = v.missing == len(v.files) > 0
        found.append(Kept(v, bool(reason), reason or ("dropped before" if gone else _rule(rules)), frees))
    return found


def _why(
    version: Version, latest: Version, rules: Retention, named: Mapping[str, str],
    now: datetime, grace: timedelta, newest: Collection[int],
) -> str:  # fmt: skip
    """Why a version stays; empty when nothing keeps it."""
    age = now - version.time
    if version is latest:
        return "the latest"
    if version.digest and version.digest in named:
        return f"named by {named[version.digest]}"
    if age < grace:
        return f"younger than {format_duration(grace)}"
    if version.version in newest:
        return f"among the newest {rules.versions}"
    if rules.age is not None and age < rules.age:
        return f"younger than {format_duration(rules.age)}"
    return "no rule drops it" if rules.versions is None and rules.age is None else ""


def _rule(rules: Retention) -> str:
    parts = [f"not among the newest {rules.versions}"] if rules.versions else []
    parts += [f"older than {format_duration(rules.age)}"] if rules.age is not None else []
    return ", ".join([*parts, "named by no model"])


def models_naming(registry: Registry) -> dict[str, str]:
    """The digests of training sets that registered models name, with those models: `shop@3, shop@4`.

    Raises:
        StorageError: when the registry cannot be read: then nothing may be dropped.
    """
    found: dict[str, list[str]] = {}
    for row in registry.listing():
        if row["snapshot"]:
            found.setdefault(row["snapshot"], []).append(f"{row['name']}@{row['version']}")
    return {digest: ", ".join(models) for digest, models in found.items()}


def plan_retention(
    uri: str,
    rules: Retention,
    registry: Registry,
    *,
    endpoint: str | None = None,
    now: datetime | None = None,
    grace: timedelta = GRACE,
) -> Plan:
    """Look what a table's retention would remove; nothing is changed.

    Args:
        uri: The Delta table.
        rules: `storage.retention` of the project file.
        registry: Whose models' training sets stay.
        endpoint: Of the S3 server.
        now: The time now; default: the clock's.
        grace: Versions younger than this stay in any case.

    Raises:
        DataError: when no table is kept there.
        StorageError: when the store or the registry refuses.
    """
    ask(uri, endpoint)
    versions = read_log(open_store(uri, endpoint=endpoint))
    kept = judge(versions, rules, models_naming(registry), now or datetime.now(UTC), grace)
    held = {f.path for k in kept if k.stays for f in k.version.files}
    known = {f.path for v in versions for f in v.files}
    there = {e.key: e.size for e in open_store(uri, endpoint=endpoint).list()}
    dropped = sorted({f.path for k in kept if not k.stays for f in k.version.files} - held)
    orphans = [path for path in _orphans(uri, endpoint) if path not in known]
    files = {path: there[path] for path in [*dropped, *orphans] if path in there}
    return Plan(uri, tuple(kept), files, tuple(p for p in orphans if p in files))


def _orphans(uri: str, endpoint: str | None) -> Iterable[str]:
    """Files that no commit names, a week old or more: deltalake lists them with their ages."""
    listed = open_table(uri, endpoint).vacuum(retention_hours=_ORPHAN_HOURS, dry_run=True, full=True)
    return sorted(path for path in listed if path.endswith(".parquet"))


def apply_retention(plan: Plan, endpoint: str | None = None) -> int:
    """Remove a plan's files; returns how many. The log stays, so that every version is still told of.

    Safe beside writers: a new version names files of its own, and the latest is never dropped. Safe to kill:
    what is left of a dropped version goes the next time.

    Raises:
        StorageError: when the store refuses.
    """
    store: Store = open_store(plan.uri, endpoint=endpoint)
    for path in plan.files:
        store.delete(path)
    dropped = [k.version.version for k in plan.versions if not k.stays]
    _log.info("retention applied", extra={"files": len(plan.files), "versions": len(dropped)})
    return len(plan.files)
