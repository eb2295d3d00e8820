"""A world whose truth is known: how likely each person is to answer each arm at this moment, in every way there is.

People come by, buy, grow tired of messages and get over it, lose interest and find it again; with `drift` their taste
in channels changes midway. What they do is drawn by seed. A message is delivered, or bounces; is opened or not; what
was opened may be clicked, answered, and lead to a purchase days later; any message may drive somebody away.
"""

import math
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from frontdesk.decision.options import MessageOptions
from frontdesk.decision.simulation.kinds import KINDS, Kind
from frontdesk.decision.simulation.population import Indices, Numbers, Population
from frontdesk.engagement import CHANNELS, NOTHING, OBJECTIVES, OUTCOMES, CustomerEvent, Outcome

SLOT_HOURS = {"morning": 9.0, "midday": 12.0, "evening": 17.0}
WINDOW_DAYS = 3.0  # within which a purchase counts for a decision
MEMORY_DAYS = 14.0  # half-life of visits and of messages without an answer
INTEREST_DAYS = 30.0  # within which interest returns to where it lives
TICKETS = 0.015  # requests for help a day
LAPSING = 0.004  # chance a day that somebody loses interest at once
ANSWERED = {"open": 0.25, "click": 0.5, "reply": 1.0, "conversion": 1.0, "unsubscribe": -4.0, "complaint": -4.0}
DRIFT_DAYS = 7.0  # from the old taste to the new
LIKED = np.array([0.2, -0.9, -0.6, 0.2, -0.6, -2.0])  # log-odds of opening, by `CHANNELS` …
LEANING = np.array([0.0, 0.0, 0.4, 1.6, 0.5, 0.0])  # … and how they change from no interest to full
INTRUSIVE = np.array([0.0, 0.8, 0.5, -0.6, 0.5, 0.0])  # log-odds of leaving, by `CHANNELS`
BOUNCING = np.array([0.01, 0.01, 0.03, 0.0, 0.01, 0.01])
COMPLAINING = 0.12  # of those who unsubscribe
REPLYING = 0.08  # of those who click
OPENING, CLICKING, BUYING = -0.6, -0.9, -1.2  # log-odds before anything is known of the two


class World:
    """`people` persons from `start` on, and what they think of the arms named by `keys` (`message/channel/slot`).

    `keys[0]` is "nothing". People, their days and their answers are drawn from streams of their own, so that two runs
    that send different messages still meet the same people. `warmth` is in log-odds of opening and of clicking.
    """

    def __init__(
        self,
        messages: Sequence[MessageOptions],
        keys: Sequence[str],
        *,
        people: int,
        seed: int,
        start: datetime,
        drift: float = 1.0,
        drift_day: float = 14.0,
        history_days: int = 60,
        kinds: Sequence[Kind] = KINDS,
        prefix: str = "person-",
        warmth: float = 0.0,
    ) -> None:
        self.start = start
        self.hours = -24.0 * history_days
        self.population = Population(kinds, people, seed, start, prefix)
        self.arms = _Arms(messages, keys, seed)
        self.interest = self.population.home.copy()
        self.weariness = np.zeros(people)
        self.trouble = np.zeros(people)
        self.visits = np.zeros(people)
        self.spent = np.zeros(people)
        self.last = np.full(people, self.hours)
        self._drift, self._drift_day = drift, drift_day
        self._warmth = warmth
        self._days = np.random.default_rng([seed, 2])
        self._answers = np.random.default_rng([seed, 3])
        self._number = 0

    @property
    def now(self) -> datetime:
        """The world's time."""
        return self.start + timedelta(hours=self.hours)

    def local_hours(self, people: Indices) -> Numbers:
        """What the clock says where they are: 0 to 24."""
        start = self.start.hour + self.start.minute / 60
        return (start + self.hours + self.population.offset[people]) % 24

    def history(self) -> list[CustomerEvent]:
        """What people did before the start, by time: they signed up, and came by while nobody wrote to them."""
        signed_up = [
            CustomerEvent(
                id=f"{self.population.id(person)}.signup",
                customer_id=self.population.id(person),
                type="signup",
                at=self.start - timedelta(days=float(age)),
            )
            for person, age in enumerate(self.population.age)
        ]
        events = signed_up
        while self.hours < 0:
            events += self.live(6.0)
        return sorted(events, key=lambda event: event.at)

    def live(self, hours: float = 1.0) -> list[CustomerEvent]:
        """Let time pass. What people did meanwhile of their own accord, by time."""
        folk, days = self.population, hours / 24
        everybody = np.arange(len(folk))
        rhythm = np.exp(1.2 * (np.cos((self.local_hours(everybody) - folk.hour) * math.pi / 12) - 0.35))
        rates = {
            "session": folk.visits * self.interest * rhythm,
            "purchase": folk.organic * (0.3 + self.interest),
            "support_ticket": TICKETS * self.interest,
        }
        here = folk.age * 24 + self.hours > 0
        events: list[CustomerEvent] = []
        for type_, rate in rates.items():
            came = np.flatnonzero(here & (self._days.random(len(folk)) < -np.expm1(-rate * days)))
            events += [self._event(int(person), type_, hours) for person in came]
            self.visits[came] += 1.0
            self.last[came] = self.hours
            if type_ == "support_ticket":
                self.trouble[came] = 1.0
            if type_ == "purchase":
                self.spent[came] += folk.value[came]
        self._pass(days)
        self.hours += hours
        return sorted(events, key=lambda event: event.at)

    def chances(self, people: Indices) -> Numbers:
        """The truth: [B, A, 7], how likely each of `OUTCOMES` is if the person got the arm now."""
        folk, arms = self.population, self.arms
        sent = np.where(np.isnan(arms.hour), self.local_hours(people)[:, None], arms.hour)  # [B, A]
        timely = np.maximum(0, np.cos((sent - folk.hour[people, None]) * math.pi / 12)) + 0.3 * arms.present
        tired = (self._tiredness(people) / folk.patience[people])[:, None]
        liked = self._tastes(people)[:, arms.channel]
        tempting = self._temptation(people)[:, None] * arms.offer
        needed = self._needs(people)[:, arms.objective] + arms.charm + tempting
        delivered = 1 - BOUNCING[arms.channel]
        opened = delivered * _logistic(OPENING + self._warmth + liked + timely - 1.6 * tired + 0.3 * needed)
        clicked = opened * _logistic(CLICKING + self._warmth + needed - 1.0 * tired)
        caused = clicked * _logistic(BUYING + 0.5 * needed + 0.4 * tempting)
        bought = 1 - (1 - caused) * np.exp(-self._organic(people) * WINDOW_DAYS)[:, None]
        annoyed = 2.5 * tired - 0.25 * liked - 0.35 * needed + INTRUSIVE[arms.channel]
        left = delivered * _logistic(folk.leaving[people, None] + annoyed)
        bounced = np.broadcast_to(1 - delivered, opened.shape)
        answers = np.stack([opened, clicked, REPLYING * clicked, bought, left, COMPLAINING * left, bounced], axis=2)
        answers[:, 0] = 0.0
        answers[:, 0, OUTCOMES.index("conversion")] = -np.expm1(-self._organic(people) * WINDOW_DAYS)
        return answers

    def answer(self, people: Indices, arms: Indices, decisions: Sequence[str]) -> list[Outcome]:
        """Send each person their arm. What they will do about it, at times to come; purchases of their own accord are
        among `live`'s events. They grow wearier by each message."""
        chances = self.chances(people)[np.arange(len(people)), arms]
        draws = self._answers.random((len(people), 6))
        delays = self._answers.exponential(size=(len(people), 3))
        sent = self._send_hours(people, arms)
        outcomes: list[Outcome] = []
        for row, (person, arm) in enumerate(zip(people, arms, strict=True)):
            if arm:
                fate = self._fate(chances[row], draws[row], person)
                outcomes += self._told(fate, decisions[row], int(person), int(arm), sent[row], delays[row])
                self.weariness[person] += 1.0 - sum(ANSWERED.get(kind, 0.0) for kind, done in fate.items() if done)
        return outcomes

    def _fate(self, chances: Numbers, draws: Numbers, person: int) -> dict[str, bool]:
        """What becomes of a message: draws, each given what it depends on, so that the shares are `chances`."""
        opened, clicked, replied, bought, left, complained, bounced = (float(chance) for chance in chances)
        organic = -math.expm1(-float(self._organic(np.array([person]))[0]) * WINDOW_DAYS)
        caused = 1 - (1 - bought) / (1 - organic)
        opens = draws[0] < opened / (1 - bounced)
        clicks = opens and draws[1] < clicked / opened
        leaves = draws[4] < left / (1 - bounced)
        fate = {
            "open": opens,
            "click": clicks,
            "reply": clicks and draws[2] < replied / clicked,
            "conversion": clicks and draws[3] < caused / clicked,
            "unsubscribe": leaves,
            "complaint": leaves and draws[2] > 1 - complained / left,
        }
        return {"bounce": True} if draws[5] < bounced else fate

    def _told(
        self, fate: dict[str, bool], decision: str, person: int, arm: int, sent: float, delays: Numbers
    ) -> list[Outcome]:
        seen = sent + float(delays[0]) * (0.3 if self.arms.present[arm] else 2.5)
        later = {"click": 0.03, "reply": 0.3 + float(delays[1]), "conversion": min(12 * float(delays[2]), 48.0)}
        told: list[Outcome] = []
        for kind in OUTCOMES:
            if fate.get(kind):
                at = self.start + timedelta(hours=seen + later.get(kind, 0.0))
                value = float(self.population.value[person]) if kind == "conversion" else 0.0
                told.append(Outcome(id=f"{decision}.{kind}", decision_id=decision, kind=kind, at=at, value=value))
        if fate.get("conversion"):
            self.interest[person] = min(1.0, self.interest[person] + 0.2)
        return told

    def _event(self, person: int, type_: str, hours: float) -> CustomerEvent:
        self._number += 1
        at = self.now + timedelta(hours=hours * float(self._days.random()))
        value = round(float(self.population.value[person]), 2)
        return CustomerEvent(
            id=f"{self.population.id(person)}.{self._number}",
            customer_id=self.population.id(person),
            type=type_,
            at=at,
            properties={"value": value} if type_ == "purchase" else {},
        )

    def _pass(self, days: float) -> None:
        folk = self.population
        self.weariness *= 0.5 ** (days / MEMORY_DAYS)
        self.visits *= 0.5 ** (days / MEMORY_DAYS)
        self.trouble *= 0.5**days
        step = (folk.home - self.interest) * days / INTEREST_DAYS
        noise = self._days.normal(0, 0.06 * math.sqrt(days), len(folk))
        self.interest = np.clip(self.interest + step + noise, 0.02, 1.0)
        lost = self._days.random(len(folk)) < LAPSING * days
        self.interest[lost] = 0.02

    def _tastes(self, people: Indices) -> Numbers:
        """How each person likes each channel now, in log-odds: who comes often reads in the app."""
        folk = self.population
        leaning = LEANING * (self.keenness(people)[:, None] - 0.5)
        return LIKED + leaning + folk.channels[people] + self._drifted() * folk.drifted[people]

    def _temptation(self, people: Indices) -> Numbers:
        """What a full offer does, in log-odds: less for those who spend much."""
        return self.population.offer[people] + 0.9 - 0.6 * self._wealth(people)

    def keenness(self, people: Indices) -> Numbers:
        """0 to 1, by how often they came of late."""
        return 1 - 0.5 ** (self._weekly(people) / 4)

    def quietness(self, people: Indices) -> Numbers:
        """0 to 1, by how long they have been silent beyond their own rhythm."""
        gap = 78 / np.maximum(1, -64 * np.expm1(-self._weekly(people) / 7))
        silence = (self.hours - self.last[people]) / 24
        return 1 - 0.5 ** (np.maximum(0, silence - gap) / (2 * gap))

    def _weekly(self, people: Indices) -> Numbers:
        return self.visits[people] * math.log(2) / MEMORY_DAYS * 7

    def _tiredness(self, people: Indices) -> Numbers:
        return 1 - 0.5 ** (np.maximum(self.weariness[people], 0) / 4)

    def _wealth(self, people: Indices) -> Numbers:
        return np.clip(np.log1p(self.spent[people]) / 5, 0, 1.5)

    def _needs(self, people: Indices) -> Numbers:
        """What each person needs now: log-odds by objective, from how they have been behaving and from their kind."""
        folk = self.population
        new = 1 / (1 + np.exp((folk.age[people] + self.hours / 24 - 14) / 2))
        keen, quiet, wealth = self.keenness(people), self.quietness(people), self._wealth(people)
        now = {
            "onboard": 3.4 * new - 1.6,
            "activate": 2.2 * (1 - new) * (1 - keen) - 0.6,
            "retain": 2.2 * quiet - 0.6,
            "upsell": 2.4 * keen + 0.2 * wealth - 1.5,
            "win_back": 2.8 * quiet - 1.0,
            "support": 2.0 * self.trouble[people] - 1.3,
        }
        return folk.needs[people] + np.stack([now[objective] for objective in OBJECTIVES], axis=1)

    def _organic(self, people: Indices) -> Numbers:
        return self.population.organic[people] * (0.3 + self.interest[people])

    def _drifted(self) -> float:
        return self._drift * min(max((self.hours / 24 - self._drift_day) / DRIFT_DAYS, 0.0), 1.0)

    def _send_hours(self, people: Indices, arms: Indices) -> Numbers:
        local = self.local_hours(people)
        wait = (self.arms.hour[arms] - local) % 24
        return self.hours + np.where(np.isnan(wait), 0.0, wait)


class _Arms:
    """The arms as columns: what of each message the people of this world care about."""

    def __init__(self, messages: Sequence[MessageOptions], keys: Sequence[str], seed: int) -> None:
        if not keys or keys[0] != NOTHING:
            raise ValueError(f"the first arm must be `{NOTHING}`")
        known = {message.key: message for message in messages}
        parts = [key.split("/") for key in keys[1:]]
        self.keys = tuple(keys)
        self.channel: Indices = np.array([0, *(CHANNELS.index(channel) for _, channel, _ in parts)])
        self.objective: Indices = np.array([0, *(OBJECTIVES.index(known[key].objectives[0]) for key, _, _ in parts)])
        self.offer: Numbers = np.array([0.0, *(known[key].offer for key, _, _ in parts)])
        self.hour: Numbers = np.array([math.nan, *(SLOT_HOURS.get(slot, math.nan) for _, _, slot in parts)])
        self.present: NDArray[np.bool_] = np.array(
            [False, *(channel == "in_app" and slot == "now" for _, channel, slot in parts)]
        )
        charms = {key: np.random.default_rng([seed, zlib.crc32(key.encode())]).normal(0, 0.2) for key in known}
        self.charm: Numbers = np.array([0.0, *(charms[key] for key, _, _ in parts)])


def _logistic(x: Numbers) -> Numbers:
    return 1 / (1 + np.exp(-x))
