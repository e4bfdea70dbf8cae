"""Addresses as they may be shown."""

from __future__ import annotations


def masked(address: str) -> str:
    """Give enough of an address to know it again, and too little to write to it."""
    if "@" in address:
        name, _, domain = address.rpartition("@")
        return f"{name[:1]}…@{domain}"
    return f"{address[:3]}…{address[-2:]}"
