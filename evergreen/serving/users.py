"""Users as the prediction log and the router's log know them: a salted hash, the same one everywhere."""

from hashlib import blake2b

_KEY_BYTES = 64  # the longest key that BLAKE2b takes


def user_key(raw: str | None, salt: str) -> str:
    """The key of a user: 16 hexadecimal digits of BLAKE2b (RFC 7693), keyed with the salt.

    Args:
        raw: The user as the request names them; spaces around it do not count.
        salt: The secret that keeps a key from being looked up in a list of users.

    Returns:
        The key, or the empty text for no user.
    """
    user = raw.strip() if raw else ""
    if not user:
        return ""
    key = salt.encode()
    if len(key) > _KEY_BYTES:
        key = blake2b(key).digest()
    return blake2b(user.encode(errors="surrogateescape"), digest_size=8, key=key).hexdigest()
