"""The section `repair`: what to do with values of a column that are written wrongly, or do not fit."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evergreen.project.model.values import ColumnType, Mode, Refused, Section

Invalid = Literal["fail", "missing", "drop", "quarantine"]
Share = Annotated[float, Field(ge=0, le=1)]


class NumberRepair(Section):
    """Numbers as people write them: `1,234`, `₩3,000`, `3.5 CM`, `(12)`, `12 %`, `zero`.

    What is not given is decided from the whole column where it gives evidence; else the values in doubt are
    not read, and the finding says what to give.

    Attributes:
        decimal: The sign before the decimals; the other one of the two groups thousands.
        words: Whether `zero`, `twelve` or `one hundred` is a number.
        currency: The currency of the column, such as `KRW` or `€`; values in another go the way of
            `invalid`. Default: the only one that the column names.
        unit: The unit of the column, such as `cm` or `oz`; values in another unit of the same kind are
            converted, a value without one is taken to be in it. Default: the only one that the column names.
        percent: What `12 %` is: `share` 0.12, `points` 12. Default: by the column's plain numbers, and
            `share` where it has none.
        scale: Whether `1.2k`, `3M` or `2 bn` is a number; `M` is then no metre.
        strip: Take the number alone, whatever currency or unit stands beside it, also mixed ones.
    """

    decimal: Literal[".", ","] | None = None
    words: bool = True
    currency: str | None = None
    unit: str | None = None
    percent: Literal["share", "points"] | None = None
    scale: bool = False
    strip: bool = False

    @model_validator(mode="after")
    def _one_measure(self) -> "NumberRepair":
        given = [n for n in ("currency", "unit", "strip") if getattr(self, n)]
        if len(given) > 1:
            raise Refused(" and ".join(f"`{n}`" for n in given), "at most one of them")
        return self


class BooleanRepair(Section):
    """Yes and no as people write them: true/t/yes/y/1/on/ja/oui/si and their opposites, in any case.

    Attributes:
        true_words: Further words for true.
        false_words: Further words for false.
    """

    true_words: list[str] = Field(default_factory=list)
    false_words: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _not_both(self) -> "BooleanRepair":
        both = {w.strip().casefold() for w in self.true_words} & {
            w.strip().casefold() for w in self.false_words
        }
        if both:
            raise Refused(f"{sorted(both)[0]!r} for both", "a word for true or for false")
        return self


class TimeRepair(Section):
    """Dates and times in mixed formats, as timestamps in UTC.

    ISO 8601, `31.12.2024 23:59`, `12/31/24 11:59 PM`, `5 Jan 2024`, `2024년 1월 5일`, seconds (milli-,
    microseconds) since 1970, with or without a zone.

    Attributes:
        formats: `strptime` formats that are tried before these.
        day_first: Whether 03/04/2024 is the third of April. Default: as the column's days past 12 tell.
        zone: Of times that name none, such as `Asia/Seoul` or `+09:00`; default: UTC.
        zones: What abbreviations mean, such as `{IST: Asia/Kolkata}`; some are in use in several places.
        pivot: A two-digit year from here on is 19…, below it 20…; 69 as in POSIX.
    """

    formats: list[str] = Field(default_factory=list)
    day_first: bool | None = None
    zone: str | None = None
    zones: dict[str, str] = Field(default_factory=dict)
    pivot: Annotated[int, Field(ge=0, le=100)] = 69


class TextRepair(Section):
    """White space, case and Unicode forms of a text, so that what reads the same is the same.

    Attributes:
        spaces: Whether white space around it is cut, and runs of white space become one blank.
        case: What letters become; `title` is a capital at each word's start.
        form: Unicode's normal form; `NFKC` also makes full-width letters and ligatures plain.
    """

    spaces: bool = True
    case: Literal["keep", "lower", "upper", "title"] = "keep"
    form: Literal["NFC", "NFKC"] = "NFC"


class RepairPolicy(Section):
    """What to do with values of a column that are written wrongly, or do not fit.

    `type`, `invalid`, `missing` and `future` alone are done by `ingest_data`. A column with one of the other
    fields is landed as it is written, and `repair_data` repairs it: every change is logged, what cannot be
    repaired is set aside with its reason, and the distribution before and after is compared.

    Attributes:
        type: The type that the column should have; default: the one in the source's `types`, or found in
            the data, or that of the repair.
        invalid: A value that does not fit, or cannot be repaired: stop (`fail`), count it as missing, leave
            its row out (`drop`), or set its row aside (`quarantine`). Default: `fail`; `quarantine` where
            values are repaired.
        missing: Spellings of "no value" in this column, such as `["?", "unknown"]`. Numbers, times and
            booleans know the usual ones.
        future: A time that is later than now: stop (`fail`), or leave its row out (`drop`).
        number: Read numbers as people write them.
        boolean: Read yes and no as people write them.
        time: Read dates and times in mixed formats and zones.
        text: Make white space, case and Unicode form one.
        synonyms: What a value stands for, such as `{Femal: female}`, in any case; applied first.
        empty_is: What an empty value stands for, such as 0; default: it is missing, which is never zero.
        max_shift: How far the repair may move the distribution, 0 to 1: the largest distance between the
            cumulative distributions of what could be read as it was written and of what there is after the
            repair (for text: the total variation), and the change of the share of missing values.
        max_quarantined: Share of the rows that this column may set aside, leave out or count as missing
            because they cannot be repaired.
        max_changed: Share of the rows that the repair may change.
        mode: What it does when one of these is passed, or a reading is in doubt: `fail` stops the run,
            `warn` reports, `off` records only.
    """

    type: ColumnType | None = None
    invalid: Invalid | None = None
    missing: list[str] = Field(default_factory=list)
    future: Literal["fail", "drop"] = "fail"
    number: NumberRepair | None = None
    boolean: BooleanRepair | None = None
    time: TimeRepair | None = None
    text: TextRepair | None = None
    synonyms: dict[str, str] = Field(default_factory=dict)
    empty_is: bool | int | float | str | None = None
    max_shift: Share = 0.25
    max_quarantined: Share = 0.1
    max_changed: Share = 1.0
    mode: Mode = "fail"

    @property
    def repairs(self) -> bool:
        """Whether values are repaired, by `repair_data`, and not only typed while they are ingested."""
        sections = (self.number, self.boolean, self.time, self.text, self.empty_is)
        return bool(self.synonyms) or self.invalid == "quarantine" or any(s is not None for s in sections)

    @property
    def unfit(self) -> Invalid:
        """What happens to a value that does not fit."""
        return self.invalid or ("quarantine" if self.repairs else "fail")

    @model_validator(mode="after")
    def _fitting(self) -> "RepairPolicy":
        types = {
            "number": ("number", "integer"),
            "boolean": ("boolean",),
            "time": ("timestamp", "date"),
            "text": ("text", "category"),
        }
        given = [name for name in types if getattr(self, name) is not None]
        if len(given) > 1:
            raise Refused(f"`{given[0]}` and `{given[1]}`", "one of `number`, `boolean`, `time` and `text`")
        if given and self.type is not None and self.type not in types[given[0]]:
            raise Refused(f"`{given[0]}` for type {self.type}", f"type {' or '.join(types[given[0]])}")
        words = {k.strip().casefold() for k in self.synonyms}
        if len(words) < len(self.synonyms):
            raise Refused("a synonym that stands twice (in another case)", "each once")
        for word, meaning in self.synonyms.items():
            other = {k.strip().casefold(): v for k, v in self.synonyms.items()}.get(
                meaning.strip().casefold()
            )
            if other is not None and other != meaning:
                raise Refused(f"{word!r} is {meaning!r}, which is {other!r} in turn", "what it is in the end")
        return self
