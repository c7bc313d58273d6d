"""Opening targets: what loads HTTP, mail and who tries again. ``dispatcher.py`` loads it late."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from supervisor.notifying.channel import Channel, ChannelError
from supervisor.notifying.http import open_http
from supervisor.notifying.mail import MailChannel
from supervisor.notifying.postman import Pace, Postman
from supervisor.notifying.target import Target
from supervisor.notifying.wording import Message

__all__ = ["Pace", "Postman", "open_channel", "say_once"]

PATIENCE: Final = 30.0
"""Seconds for a test message."""


def open_channel(target: Target) -> Channel:
    """Return the way out to ``target``; whoever called this closes it."""
    return MailChannel(target) if target.kind == "email" else open_http(target, time.time)


async def say_once(target: Target, message: Message) -> tuple[bool, str]:
    """Send one message now, once; return whether it was taken, and what the other end said or why not."""
    channel = open_channel(target)
    try:
        async with asyncio.timeout(PATIENCE):
            return True, await channel.send(message)
    except ChannelError as error:
        return False, str(error)
    except TimeoutError:
        return False, f"no answer within {PATIENCE:g} s"
    finally:
        await channel.close()
