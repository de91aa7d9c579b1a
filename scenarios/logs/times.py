"""Times of day in the forms that loggers write, as microseconds since 1970."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final

from akstwin.errors import UnreadableFile
from akstwin.scenarios.logs.values import micros_of

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH_UNITS: Final = ((10**9, "s"), (10**12, "ms"), (10**15, "us"), (10**18, "ns"))
"""What a number since 1970 is counted in: from 2001 on, and up to 2286, no two can be confused."""
_NUMBER: Final = re.compile(r"\s*[0-9]+(\.[0-9]*)?\s*$")
_NGINX: Final = re.compile(r"(\d{1,2})/([A-Za-z]{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d\d):?(\d\d)$")
_US: Final = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}),?\s+(\d{1,2}):(\d\d)(?::(\d\d)(\.\d+)?)?\s*([AP])\.?M\.?$", re.IGNORECASE
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FORM: Final = "a time such as 2026-11-16T08:00:00.5+01:00, or seconds since 1970"


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

    def read(self, text: str, line: str) -> int:
        """Microseconds since 1970.

        Raises:
            UnreadableFile: it is no time, or not one of the file's form.
        """
        stripped = text.strip()
        if _NUMBER.match(stripped):  # 20261116 would be a date to Python
            return self._number(stripped, line)
        try:
            found = datetime.fromisoformat(stripped)
        except ValueError:
            found = self._other(stripped, line)
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
        nginx = _NGINX.match(text)
        try:
            if nginx:
                day, month, year, hour, minute, second, east, minutes = nginx.groups()
                zone = f"{east}:{minutes}"
                number = _MONTHS.index(month.lower()) + 1
                return datetime.fromisoformat(f"{year}-{number:02}-{int(day):02}T{hour}:{minute}:{second}{zone}")
            us = _US.match(text)
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
            read_as = " (month/day/year)" if nginx is None else ""
            raise UnreadableFile(self._where, f"{line}: {text!r} is not {_FORM}{read_as}") from None
        raise UnreadableFile(self._where, f"{line}: {text!r} is not {_FORM}")

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
