"""``/metrics``, for Prometheus (docs/metrics.md)."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import FastAPI, Header
from fastapi.responses import Response

from supervisor.api.caller import needs
from supervisor.metrics.requests import Requests


class MetricsPort(Protocol):
    """The daemon, as a scrape sees it."""

    async def scrape(self, requests: Requests, accept: str) -> tuple[str, bytes]:
        """Return (content type, text) of everything that is counted and measured."""
        ...


def metrics_route(app: FastAPI, daemon: MetricsPort, requests: Requests) -> None:
    """Add the route to ``app``: below no prefix, where a scraper looks for it."""

    @app.get(
        "/metrics",
        dependencies=[needs("read")],
        tags=["ops"],
        summary="Figures for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics(
        accept: Annotated[str, Header(max_length=1000, include_in_schema=False)] = "",
    ) -> Response:
        """Return every figure in the text format of Prometheus, or in OpenMetrics to who accepts it."""
        content_type, text = await daemon.scrape(requests, accept)
        return Response(text, headers={"content-type": content_type})
