"""What of a request may be kept: which requests, which columns, and which of them only as a hash."""

from collections.abc import Iterable
from hashlib import blake2b

_DOMAIN = b"evergreen-column"  # so that a hashed column is not hashed as users are


def is_sampled(request_id: str, share: float) -> bool:
    """Whether a request belongs to the logged share, by its id alone.

    Every server decides alike, so that baseline and shadow keep the same requests, and a smaller share is
    part of a larger one.

    Args:
        request_id: Of the request.
        share: Between 0 and 1.
    """
    if share >= 1:
        return True
    drawn = blake2b(request_id.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(drawn, "big") < share * 2**64


class ColumnHash:
    """Hashes values of columns: keyed BLAKE2b (RFC 7693), 16 hexadecimal digits.

    Args:
        salt: The secret key, of any length.
    """

    def __init__(self, salt: str) -> None:
        self._key = blake2b(salt.encode()).digest()

    def text(self, value: str) -> str:
        """The hash of one value's text."""
        data = value.encode(errors="surrogatepass")
        return blake2b(data, digest_size=8, key=self._key, person=_DOMAIN).hexdigest()

    def texts(self, values: Iterable[str]) -> list[str]:
        """The hashes of many texts; the empty text, a missing value, stays empty."""
        return [self.text(value) if value else "" for value in values]

    def numbers(self, values: Iterable[float]) -> list[str]:
        """The hashes of numbers; a whole number has the text of an integer, NaN the empty one."""
        return [self.text(_text(value)) if value == value else "" for value in values]


def _text(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
