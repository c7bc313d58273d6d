"""A daemon with a route: what its engine sends goes to the gateway, and what the gateway says goes back."""

from __future__ import annotations

import pytest

from tests.ports import HOST, free_port
from tests.supervisor.rig import Rig, Scene
from tests.supervisor.routes.gateway import Gateway
from tests.supervisor.routes.route_world import news, order
from tests.waiting import until

pytestmark = pytest.mark.system
KEY = "hunter2"


def test_what_the_engine_sends_reaches_the_gateway_and_its_answer_the_engine(rig: Rig, monkeypatch):
    async def scenario(scene: Scene):
        gateway = Gateway(key=KEY, host=HOST)
        gateway.port = rig.port
        told: list[list[bytes]] = []
        client = scene.daemon.engine
        channel = client._flush
        monkeypatch.setattr(client, "_flush", lambda: (told.append(list(client._waiting)), channel()))

        # Nobody listens yet: the daemon runs, and says so once it has tried.
        exits = order("o1", quantity=-10.0, reduce_only=True)
        scene.daemon.news.on_news(news(exits))
        await scene.event("route_down")
        assert "degraded" == (await scene.port.status()).state

        await gateway.start()
        await scene.event("route_up")
        assert 1 == gateway.venue.taken["o1"]
        gateway.venue.fill("o1", 10.0, 99.0)

        async def known() -> bool:
            return b"filled" in b"".join(piece for waiting in told for piece in waiting)

        await until(known, what="the report on its way to the engine")
        assert "running" == (await scene.port.status()).state
        await gateway.stop()

    with_port = free_port()
    rig.port = with_port
    rig.environ = {"STRATD_ROUTES__GATEWAY__KEY": KEY}
    rig.settings += (
        f'\n[routes.gateway]\nkind = "http"\nurl = "http://{HOST}:{with_port}/v1"\n'
        'failures = 2\npoll = "50ms"\n[accounts.main]\nroute = "gateway"\n'
    )
    rig.run(scenario)
