"""The text of a scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from supervisor.metrics.families import families
from supervisor.metrics.picture import Picture


class _Once(Collector):
    """A collector of families that are there already."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = list(found)

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        yield from self._found


def render(picture: Picture, accept: str = "") -> tuple[str, bytes]:
    """Return (content type, text) of a scrape: Prometheus' format, or OpenMetrics for who accepts that."""
    # A registry for each: the global one of the library would be shared with whatever else is imported.
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(families(picture)))
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)
