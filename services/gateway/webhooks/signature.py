"""Twilio's signature of a webhook.

HMAC-SHA1, in base64, under the account's auth token, over the full URL as Twilio was told it and
then each posted name and value, sorted by name, without anything in between
(https://www.twilio.com/docs/usage/security, "Validating requests").
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit


def signature_of(token: str, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """What `X-Twilio-Signature` must say; a value that is posted twice counts once."""
    said = url + "".join(name + value for name, value in sorted(set(fields)))
    digest = hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_signed(token: str, url: str, fields: Iterable[tuple[str, str]], signature: str) -> bool:
    """Whether Twilio said this to this address; without a token nobody did."""
    if not token or not signature:
        return False
    given, said = signature.encode("utf-8", "replace"), list(fields)
    expected = [signature_of(token, one, said).encode() for one in _spellings(url)]
    return any(hmac.compare_digest(one, given) for one in expected)


def _spellings(url: str) -> list[str]:
    """The address as it is, without its port, and with the port of its scheme.

    Twilio signs some webhooks with the port and some without.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    usual = 443 if parts.scheme == "https" else 80
    bare = parts._replace(netloc=host).geturl()
    ported = parts._replace(netloc=f"{host}:{parts.port or usual}").geturl()
    return list(dict.fromkeys((url, bare, ported)))
