"""Times of day in the forms that loggers write, as microseconds since 1970."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Final

from akstwin.errors import UnreadableFile
from akstwin.scenarios.logs.values import micros_of

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH_UNITS: Final = ((10**9, "s"), (10**12, "ms"), (10**15, "us"), (10**18, "ns"))
"""What a number since 1970 is counted in: from 2001 on, and up to 2286, no two can be confused."""
_NUMBER: Final = re.compile(r"\s*[0-9]+(\.[0-9]*)?\s*$")
_EXPONENT: Final = re.compile(r"[0-9]+(\.[0-9]+)?e\+?[0-9]+$", re.IGNORECASE)
_SECONDS: Final = re.compile(r":\d\d:\d\d")
_SPACED_ZONE: Final = re.compile(r"(.*?\d)\s+(?:(Z|UTC|GMT)|([+-]\d\d):?(\d\d)(?:\s+UTC)?)$")
"""As of Go, Ruby and many databases: ISO 8601 has no space before the zone, and no name in its place."""
_DOTTED: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}),?\s+(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?$")
"""Day.month.year: with dots no country writes the month first."""
_MAIL: Final = re.compile(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (GMT|UTC|[+-]\d{4})$")
"""As in HTTP's header Date."""
_NGINX: Final = re.compile(r"(\d{1,2})/([A-Za-z]{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d\d):?(\d\d)$")
_US: Final = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}),?\s+(\d{1,2}):(\d\d)(?::(\d\d)(\.\d+)?)?\s*([AP])\.?M\.?$", re.IGNORECASE
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FORM: Final = "a time such as 2026-11-16T08:00:00.5+01:00, or seconds since 1970"
_NO_INSTANTS: Final = "the log does not hold the instants of requests: give their rates, as shape: steps"


def looks_like_a_time(text: str) -> bool:
    """Whether this is a time of day with its date, and no span from a start."""
    stripped = text.strip()
    if _NUMBER.match(stripped):
        return float(stripped) >= _EPOCH_UNITS[0][0]
    if re.match(r"\d{4}-\d\d-\d\d|\d{1,2}/[A-Za-z]{3}/\d{4}:", stripped):
        return True
    return re.match(r"\d{1,4}[/.]\d{1,2}[/.]\d{2,4},?\s+\d{1,2}:\d\d", stripped) is not None


def is_time(text: str) -> bool:
    """Whether the first cell of a column of times is a time of day, and no span from a start."""
    if _EXPONENT.match(text.strip()):
        return float(text) >= _EPOCH_UNITS[0][0]
    if _NUMBER.match(text):
        return float(text) >= _EPOCH_UNITS[0][0]
    return any(mark in text.strip() for mark in ("T", ":", "/")) or text.count("-") == 2


class Times:
    """Reads one column of times; a file has to keep to one form.

    Args:
        where: which file, for errors.
        heading: of the column, if it has one.
        unit: of plain numbers, if it is known.
        zone: of times without one, if it is known.
        setting: what sets the zone, for errors.
    """

    def __init__(self, where: str, heading: str | None, unit: str | None, zone: tzinfo | None, setting: str) -> None:
        self._where = where
        self._heading = heading
        self._given = unit
        self.unit = unit
        """Of plain numbers: as given, or as the first one shows."""
        self._zone = zone
        self._setting = setting
        self.bare: str | None = None
        """Where the first time without a zone stands."""
        self._zoned: str | None = None
        self._clock: Callable[[datetime], datetime] = self._utc if zone is None else self._local
        self.month_first = False
        """Whether dates were read as month/day/year."""
        self.to_the_minute = True
        """Whether no time of day had seconds."""

    def read(self, text: str, line: str) -> int:
        """Microseconds since 1970.

        Raises:
            UnreadableFile: it is no time, or not one of the file's form.
        """
        stripped = text.strip()
        if _NUMBER.match(stripped):  # 20261116 would be a date to Python
            return self._number(stripped, line)
        if _EXPONENT.match(stripped):
            raise UnreadableFile(
                self._where,
                f"{line}: {text!r} is written with an exponent, and has lost the digits that tell requests apart; "
                "export whole numbers",
            )
        if self.to_the_minute and _SECONDS.search(stripped):
            self.to_the_minute = False
        try:
            found = datetime.fromisoformat(stripped)
        except ValueError:
            found = self._other(stripped, line)
        if ":" not in stripped and "T" not in stripped:
            raise UnreadableFile(self._where, f"{line}: {text!r} is a date without a time of day; {_NO_INSTANTS}")
        if found.tzinfo is not None:
            if self._zoned is None:
                self._zoned = line
                self._check_mixture(line)
        else:
            if self.bare is None:
                self.bare = line
                self._check_mixture(line)
            found = self._clock(self._placed(found, text, line))
        return (found - EPOCH) // MICROSECOND

    def _check_mixture(self, line: str) -> None:
        if self.bare is not None and self._zoned is not None and self._zone is None:
            raise UnreadableFile(
                self._where,
                f"{line}: some times say their zone ({self._zoned}) and some do not ({self.bare}); write {self._setting}, "
                "such as UTC or Europe/Berlin, for those that do not",
            )

    @staticmethod
    def _utc(found: datetime) -> datetime:
        return found.replace(tzinfo=UTC)

    def _local(self, found: datetime) -> datetime:
        return found.replace(tzinfo=self._zone)

    def _placed(self, found: datetime, text: str, line: str) -> datetime:
        """The time itself, unless clocks were changed then: it comes twice, or never."""
        if self._zone is None:
            return found
        first, second = found.replace(tzinfo=self._zone, fold=0), found.replace(tzinfo=self._zone, fold=1)
        before, after = first.utcoffset(), second.utcoffset()
        if before != after and before is not None and after is not None:
            how = "comes twice" if before > after else "does not exist"
            raise UnreadableFile(
                self._where,
                f"{line}: {text!r} {how} in {self._zone}, where clocks are changed in that hour; "
                "export the log in UTC, or with the zone beside each time",
            )
        return found

    def _other(self, text: str, line: str) -> datetime:
        """A time in another form than ISO 8601."""
        nginx, us = _NGINX.match(text), _US.match(text)
        try:
            spaced = _SPACED_ZONE.match(text)
            if spaced and not _MAIL.match(text) and not nginx:
                return datetime.fromisoformat(spaced[1] + ("Z" if spaced[2] else f"{spaced[3]}:{spaced[4]}"))
            dotted = _DOTTED.match(text)
            if dotted:
                day, month, year, hour, minute, second, fraction = dotted.groups()
                return datetime.fromisoformat(
                    f"{year}-{int(month):02}-{int(day):02}T{int(hour):02}:{minute}:{second or '00'}.{fraction or '0'}"
                )
            if _MAIL.match(text):
                return parsedate_to_datetime(text.replace("UTC", "GMT"))
            if nginx:
                day, month, year, hour, minute, second, east, minutes = nginx.groups()
                zone = f"{east}:{minutes}"
                number = _MONTHS.index(month.lower()) + 1
                return datetime.fromisoformat(f"{year}-{number:02}-{int(day):02}T{hour}:{minute}:{second}{zone}")
            if us:
                self.month_first = True
                month, day, year, hour, minute, second, fraction, half = us.groups()
                if not 1 <= int(hour) <= 12:
                    raise ValueError(hour)  # noqa: TRY301
                of_day = int(hour) % 12 + (12 if half.upper() == "P" else 0)
                return datetime.fromisoformat(
                    f"{year}-{int(month):02}-{int(day):02}T{of_day:02}:{minute}:{second or '00'}{fraction or ''}"
                )
        except ValueError:
            read_as = " (month/day/year)" if us else ""
            raise UnreadableFile(self._where, f"{line}: {text!r} is not {_FORM}{read_as}") from None
        raise UnreadableFile(self._where, f"{line}: {text!r} is not {_FORM}{_why_not(text)}")

    def _number(self, text: str, line: str) -> int:
        number = Decimal(text)
        unit = next((unit for least, unit in reversed(_EPOCH_UNITS) if number >= least), None)
        if self.unit is None and unit is None:
            raise UnreadableFile(self._where, f"{line}: {text!r} is neither a date nor a time since 1970")
        if self._given is None and self.unit is not None and unit != self.unit:
            raise UnreadableFile(
                self._where, f"{line}: {text!r} is not counted in {self.unit} since 1970 as the numbers before it are"
            )
        self.unit = self.unit or unit
        return micros_of(text, self.unit, line, self._where, self._heading)


def _why_not(text: str) -> str:
    """What is missing from, or wrong with, a time that cannot be read, where that can be said."""
    if re.match(r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?$", text):
        return ": it has no date; expected both in one column"
    if re.match(r"\d{1,2}/\d{1,2}/\d{2,4}\b", text):
        return ": day and month could stand either way round; write dates as 2026-11-16"
    if re.search(r"\d\s+[A-Z]{2,5}$", text) and not re.search(r"[AP]M$", text):
        return (
            ": a zone's abbreviation can mean several; write its offset, or leave it out and name the zone with zone:"
        )
    return ""
