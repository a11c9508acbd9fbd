"""Numbers for Prometheus at `/metrics`, in its text format; counted here, rendered by its own library."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "greenroom_requests_total", "Requests to the gateway by route and status.", ["route", "status"], registry=REGISTRY
)
SECONDS = Histogram(
    "greenroom_request_seconds",
    "Seconds from a request's arrival to its last byte, by route.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
    registry=REGISTRY,
)
UNDER_WAY = Gauge("greenroom_requests_under_way", "Requests being answered now.", registry=REGISTRY)
BREAKERS_OPEN = Gauge("greenroom_breakers_open", "Backends left alone now because they kept failing.", registry=REGISTRY)

_children: dict[tuple[str, int], Counter] = {}
_seconds: dict[str, Histogram] = {}


def count(route: str, status: int, seconds: float) -> None:
    """One finished request."""
    child = _children.get((route, status))
    if child is None:
        child = _children[route, status] = REQUESTS.labels(route, str(status))
    child.inc()
    histogram = _seconds.get(route)
    if histogram is None:
        histogram = _seconds[route] = SECONDS.labels(route)
    histogram.observe(seconds)


def rendered() -> bytes:
    return generate_latest(REGISTRY)


CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
