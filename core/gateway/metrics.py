"""Numbers for Prometheus at `/metrics`: counted in dictionaries on the event loop, rendered by its own library.

Each process counts what it answered itself. Where several share one port, any of them may be asked, so every number
carries the process it is of: a counter seen in turns never runs backwards.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counted:
    """What one process has answered; only the event loop counts, so nothing is locked."""

    def __init__(self) -> None:
        self.process = ""
        self.requests: dict[tuple[str, int], int] = defaultdict(int)
        self.buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BOUNDS_S) + 1))
        self.seconds: dict[str, float] = defaultdict(float)
        self.under_way = 0
        self.breakers_open = 0

    def count(self, route: str, status: int, seconds: float) -> None:
        """One finished request."""
        self.requests[route, status] += 1
        self.buckets[route][bisect_left(BOUNDS_S, seconds)] += 1
        self.seconds[route] += seconds


class _Shown(Collector):
    def __init__(self, counted: Counted) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        counted = self._counted
        process = counted.process
        requests = CounterMetricFamily(
            "greenroom_requests", "Requests to the gateway by route and status.", labels=["process", "route", "status"]
        )
        for (route, status), number in list(counted.requests.items()):
            requests.add_metric([process, route, str(status)], number)
        yield requests
        took = HistogramMetricFamily(
            "greenroom_request_seconds",
            "Seconds from a request's arrival to its last byte.",
            labels=["process", "route"],
        )
        for route, buckets in list(counted.buckets.items()):
            running, rows = 0, []
            for bound, number in zip((*map(str, BOUNDS_S), "+Inf"), buckets, strict=True):
                running += number
                rows.append((bound, running))
            took.add_metric([process, route], rows, counted.seconds[route])
        yield took
        now = {
            "greenroom_requests_under_way": ("Requests being answered now.", counted.under_way),
            "greenroom_breakers_open": ("Backends left alone now because they kept failing.", counted.breakers_open),
        }
        for name, (said, number) in now.items():
            gauge = GaugeMetricFamily(name, said, labels=["process"])
            gauge.add_metric([process], number)
            yield gauge


COUNTED = Counted()
_REGISTRY = CollectorRegistry()
_REGISTRY.register(_Shown(COUNTED))


def rendered() -> bytes:
    return generate_latest(_REGISTRY)
