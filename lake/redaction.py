"""Text as the log may hold it: without passwords, signed addresses and bytes that are no text."""

import re

USER = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]*@")
QUERY = re.compile(r"\?[\w.%~-]+=[^\s'\"<>)\]]*")
NAMED = re.compile(
    r"((?:[\w-]*(?:password|passwd|secret|token|signature|credential|api[_-]?key|key[_-]?id))['\"]?\s*[=:]\s*['\"]?)"
    r"[^\s&;,'\"]+",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """A text with the user and password of each address, its query, and values named as secrets left out."""
    return NAMED.sub(r"\1***", QUERY.sub("", USER.sub("", text)))


def recorded(text: str) -> str:
    """A text without secrets; of a file's name, bytes that are no UTF-8 as `\\udcff`, which every program can write."""
    return without_secrets(text).encode("utf-8", "backslashreplace").decode()


def has_secrets(address: str) -> bool:
    """Whether an address has a password or a query in it."""
    return "://" in address and without_secrets(address) != address
