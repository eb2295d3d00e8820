"""Which adapter brings letters to customers, channel by channel."""

from collections.abc import Mapping

import httpx2

from frontdesk.delivery.delivery import NotSent, Sender, Webhook
from frontdesk.delivery.in_app import InApp
from frontdesk.delivery.local import Local
from frontdesk.delivery.options import Adapter, DeliveryOptions
from frontdesk.delivery.smtp import Smtp
from frontdesk.engagement import CHANNELS
from frontdesk.ports import Clock
from frontdesk.store.outbox import Letter


class Timely:
    """Sends nothing after its time: a letter that was put off too often may not come in the night."""

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self._sender = sender
        self._clock = clock

    async def send(self, letter: Letter) -> str:
        if letter.not_after is not None and self._clock.now() >= letter.not_after:
            raise NotSent("too_late", final=True)
        return await self._sender.send(letter)


class Parted:
    """One channel for two kinds of letters: those to customers, and all others."""

    def __init__(self, *, customers: Sender, others: Sender) -> None:
        self._customers = customers
        self._others = others

    async def send(self, letter: Letter) -> str:
        return await (self._others if letter.customer_id is None else self._customers).send(letter)


def customer_senders(
    options: DeliveryOptions, http: httpx2.AsyncClient, clock: Clock, others: Mapping[str, Sender]
) -> dict[str, Sender]:
    """A sender for each channel by which customers are reached, and for those of `others`.

    `others` are the channels that the desk has anyway: on a channel with such a sender, customers get their letters by
    it where `delivery.channels` says so, and everybody else by it always.
    """
    adapters: dict[Adapter, Sender] = {
        "local": Local(),
        "in_app": InApp(),
        "webhook": Webhook(http, options),
        "smtp": Smtp(options.smtp, clock, seconds=options.seconds),
    }
    if (telegram := others.get("telegram")) is not None:
        adapters["telegram"] = telegram
    senders = dict(others)
    for channel in CHANNELS:
        to_customers = Timely(adapters.get(options.adapter(channel), adapters["local"]), clock)
        other = others.get(channel)
        senders[channel] = to_customers if other is None else Parted(customers=to_customers, others=other)
    return senders
