"""Takes a response of parts apart, from docs/routes.md alone."""

from __future__ import annotations

import struct
from typing import TypeVar

from google.protobuf.message import Message

Header = TypeVar("Header", bound=Message)


def parts_of(body: bytes, kind: type[Header]) -> list[tuple[Header, bytes]]:
    parts: list[tuple[Header, bytes]] = []
    at = 0
    while at < len(body):
        header_length, payload_length = struct.unpack_from("<II", body, at)
        at += 8
        header = kind.FromString(body[at : at + header_length])
        at += header_length
        parts.append((header, body[at : at + payload_length]))
        at += payload_length
    assert at == len(body)
    return parts
