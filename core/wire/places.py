"""Addresses nothing is ever asked at: where a cloud keeps the credentials of the machine itself.

Names are checked when they are written down; the address behind a name is known only once a connection stands, so
it is checked again there, before a byte of the question leaves.
"""

from __future__ import annotations

import functools
import ipaddress
import socket

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = tuple(
    ipaddress.ip_network(net)
    for net in (
        "169.254.0.0/16",  # link-local: AWS, Azure, Google, Oracle, DigitalOcean
        "fe80::/10",
        "fd00:ec2::254/128",  # AWS
        "fd20:ce::254/128",  # Google
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's host agent
        "192.0.0.192/32",  # Oracle
    )
)
_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOW_32 = 0xFFFFFFFF


@functools.lru_cache(maxsize=1024)
def ip_of(host: str) -> IpAddress | None:
    """The IP a host spells, in any notation the system understands (2852039166, 0xa9.0xfe.0xa9fe); None for a name."""
    try:
        ip = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return None
    return _inner(ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def _inner(ip: ipaddress.IPv6Address) -> IpAddress:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, Teredo, NAT64), else itself."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & _LOW_32)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip


def is_metadata(host: str) -> bool:
    """Whether this host is where clouds keep the machine's credentials; nothing there speaks the OpenAI protocol."""
    ip = ip_of(host)
    if ip is None:
        return host.lower().rstrip(".") in _NAMES
    return any(ip.version == net.version and ip in net for net in _METADATA)
