"""The kinds of customers in the simulated world: how they live, what they like, and what drives them away.

The desk sees none of this. It sees their events, segments, plans and answers, as it does of anybody.
"""

import msgspec

from frontdesk.engagement import Channel, Objective


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of customers. What sets it apart from people in general is in log-odds of opening (`channels`) or of
    clicking (`needs`, and `offer` for a full one)."""

    name: str
    share: float  # of all people
    segment: str
    plan: str
    visits: float  # a day, while they are interested
    interest: float  # 0 to 1, what it returns to by itself
    hour: float  # of their day, about which they come and read
    channels: dict[Channel, float]
    drifted: dict[Channel, float] = {}  # what changes of it as the world drifts
    needs: dict[Objective, float] = {}
    offer: float = 0.0
    patience: float = 1.0  # how well it bears messages, where 1 is usual
    leaving: float = -6.0  # log-odds that a message makes it unsubscribe
    organic: float = 0.01  # purchases a day without any message
    value: float = 40.0  # of a purchase, in money
    newcomers: float = 0.0  # share who signed up in the last two weeks


KINDS: tuple[Kind, ...] = (
    Kind(
        name="newcomer",
        share=0.16,
        segment="default",
        plan="trial",
        visits=1.2,
        interest=0.6,
        hour=18,
        channels={"in_app": 0.1},
        needs={"onboard": 0.3, "activate": 0.2},
        organic=0.008,
        value=20.0,
        newcomers=0.9,
    ),
    Kind(
        name="enthusiast",
        share=0.2,
        segment="default",
        plan="pro",
        visits=2.2,
        interest=0.9,
        hour=20,
        channels={"push": 0.3},
        drifted={"push": -0.8, "email": 0.6},
        needs={"upsell": 0.2},
        patience=1.3,
        organic=0.02,
        value=60.0,
    ),
    Kind(
        name="bargain hunter",
        share=0.2,
        segment="default",
        plan="free",
        visits=0.5,
        interest=0.45,
        hour=21,
        channels={"email": 0.2},
        needs={"win_back": 0.2},
        offer=0.5,
        organic=0.006,
        value=15.0,
    ),
    Kind(
        name="small business",
        share=0.18,
        segment="smb",
        plan="business",
        visits=1.4,
        interest=0.7,
        hour=9,
        channels={"email": 0.2, "push": -0.2},
        drifted={"in_app": 0.5},
        needs={"upsell": 0.1, "support": 0.3},
        organic=0.015,
        value=120.0,
    ),
    Kind(
        name="executive",
        share=0.1,
        segment="enterprise",
        plan="enterprise",
        visits=0.6,
        interest=0.7,
        hour=8,
        channels={"email": 0.2, "push": -0.3, "sms": -0.3},
        needs={"retain": 0.2, "support": 0.3},
        offer=-0.2,
        patience=0.8,
        leaving=-5.4,
        organic=0.01,
        value=400.0,
    ),
    Kind(
        name="drifting away",
        share=0.15,
        segment="default",
        plan="free",
        visits=0.7,
        interest=0.12,
        hour=17,
        channels={"sms": 0.3},
        drifted={"sms": -0.6},
        needs={"win_back": 0.3},
        offer=0.2,
        organic=0.004,
        value=30.0,
    ),
    Kind(
        name="leave me alone",
        share=0.01,
        segment="default",
        plan="pro",
        visits=0.8,
        interest=0.6,
        hour=13,
        channels={"email": -1.2, "in_app": -0.8, "push": -1.2, "sms": -1.0},
        offer=-0.3,
        patience=0.8,
        leaving=-4.0,
        organic=0.015,
        value=50.0,
    ),
)
