"""What the scripted desk answers to the console's pages of engagement, and what it is told there."""

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.browser.fake_values import ago, problem

DIGEST = "a" * 64


def decision(number: int, **more: Any) -> dict[str, Any]:
    """A decision that acts, unless `more` says otherwise."""
    return {
        "id": f"dec_{number}",
        "customer_id": "ann",
        "event_id": f"evt_{number}",
        "at": ago(minutes=number),
        "segment": "smb",
        "objective": "retain",
        "state": "act",
        "arm": "tip/email/now",
        "channel": "email",
        "send_at": ago(minutes=number),
        "confidence": 0.91,
        "risk": 0.004,
        "propensity": 0.7,
        "reasons": [
            "`tip/email/now` does better than nothing with a confidence of 0.91.",
            "For it: what e-mail does.",
            "The segment's limit of messages in 7 days is reached.",
        ],
        "masks": [{"rule": "cap", "words": "The segment's limit of messages in 7 days is reached.", "arms": 3}],
        "contributions": [
            {"feature": "bias × email", "against_runner_up": 0.02, "against_nothing": 0.11},
            {"feature": "fatigue × message", "against_runner_up": 0.0, "against_nothing": -0.04},
        ],
        "runner_up": "nothing",
        "eligible": ["nothing", "tip/email/now"],
        "probabilities": [0.3, 0.7],
        "features": [],
        "features_digest": DIGEST,
        "policy_id": "pol_champion",
        "role": "champion",
        "seed": 7,
        "floor": 0.05,
        "arms_digest": DIGEST,
        "human": False,
    } | more


def outreach(number: int, **more: Any) -> dict[str, Any]:
    """A message that waits for a person."""
    return {
        "id": f"out_{number}",
        "decision_id": f"dec_{number}",
        "customer_id": f"customer-{number}",
        "channel": "email",
        "message": "tip",
        "segment": "enterprise",
        "objective": "retain",
        "state": "approval",
        "confidence": 0.8,
        "risk": 0.01,
        "needs": 1,
        "send_at": ago(minutes=-30),
        "deadline": ago(hours=-20),
        "escalated": False,
        "subject": f"Subject {number}",
        "body": f"Hello,\n\nthis is text {number}.",
        "footer": f"Stop these messages: https://desk.test/unsubscribe/dec_{number}",
        "digest": DIGEST,
        "checks": [],
        "model": "template",
        "problem": None,
        "created_at": ago(minutes=4),
        "updated_at": ago(minutes=4),
    } | more


DECISIONS = [
    decision(1),
    decision(2, state="approval", segment="enterprise", arm="check_in/email/morning", confidence=0.8),
    decision(3, state="nothing", arm="nothing", channel=None, contributions=[], role="challenger"),
]
HELD = decision(4, state="hold", confidence=0.6, reasons=["Held back: the confidence is below 0.75."])
STORY: dict[str, Any] = {
    "decision": DECISIONS[0],
    "strategy": {
        "id": "pol_champion",
        "parent_id": None,
        "strategy": "pol_champion",
        "origin": "learned",
        "generation": 2,
        "created_at": ago(days=1),
        "note": "",
    },
    "message": {
        "id": "out_9",
        "state": "released",
        "message": "tip",
        "tone": "friendly",
        "needs": 0,
        "send_at": ago(minutes=1),
        "deadline": None,
        "subject": "A small thing that saves time",
        "body": "Hello Ann,\n\nyou can save a search.",
        "digest": DIGEST,
        "checks": [
            {"rule": "claim", "words": "A number that the knowledge does not hold.", "weight": "flag", "of": "model"}
        ],
        "prompt": None,
        "model": "template",
        "problem": None,
    },
    "votes": [
        {
            "person_id": "per_1",
            "name": "Ada",
            "verdict": "approve",
            "digest": DIGEST,
            "note": "Fine",
            "at": ago(minutes=1),
        }
    ],
    "delivery": {
        "id": "out_l",
        "state": "sent",
        "channel": "email",
        "attempts": 1,
        "external_id": None,
        "problem": None,
        "settled_at": ago(minutes=1),
    },
    "outcomes": [{"id": "o1", "kind": "click", "value": 0.0, "at": ago(seconds=20), "counted": True}],
    "outcome_due_at": ago(hours=-70),
    "reward": None,
    "settled_at": None,
}
CUSTOMER = {
    "id": "ann",
    "segment": "smb",
    "name": "Ann",
    "time_zone": "Europe/Berlin",
    "consents": ["email"],
    "reachable": ["email", "in_app", "webhook"],
    "addresses": {"email": "ann@example.com"},
    "traits": {"plan": "team"},
    "events": 12,
    "first_at": ago(days=60),
    "last_at": ago(hours=3),
    "signals": {
        "recency_days": 0.1,
        "frequency": 3.2,
        "engagement": 0.62,
        "churn_risk": 0.05,
        "fatigue": 0.2,
        "value": 120.5,
        "stage": "active",
        "best_channel": "email",
        "best_hour": 10,
    },
    "contacts": [{"at": 1.0, "channel": "email", "outreach_id": "out_9"}],
    "plan": {"weekly": 2, "gap_hours": 24.0, "tier": "middle", "made_at": ago(hours=9)},
}


def entry(kind: str, what: str, **more: Any) -> dict[str, Any]:
    """A line of a timeline."""
    empty = dict.fromkeys(
        ("decision_id", "state", "channel", "objective", "confidence", "risk", "value", "subject", "problem", "send_at")
    )
    return {"at": ago(hours=2), "kind": kind, "id": f"{kind}_{what}", "what": what, **empty, "properties": {}} | more


TIMELINE = [
    entry("outcome", "click", decision_id="dec_1"),
    entry("message", "tip", state="released", subject="A small thing that saves time"),
    entry("decision", "tip/email/now", state="act", id="dec_1"),
    entry("event", "session"),
]
LETTERS = [
    {
        "id": f"letter_{number}",
        "customer_id": "ann",
        "decision_id": "dec_1",
        "channel": "email",
        "message": "tip",
        "subject": f"Letter {number}",
        "body": "Hello Ann",
        "state": state,
        "problem": None,
        "created_at": ago(hours=number),
        "settled_at": None,
    }
    for number, state in ((1, "sent"), (2, "unknown"))
]
SERVING = {
    "champion_id": "pol_champion",
    "challenger_id": "pol_challenger",
    "share": 0.1,
    "shadow_id": None,
    "since": ago(days=2),
    "version": 3,
}
LINES = [
    {
        "id": name,
        "parent_id": parent,
        "strategy": name,
        "origin": origin,
        "generation": generation,
        "created_at": ago(days=generation + 1),
        "born_at": ago(days=20),
        "outcomes": 4200.0,
        "calibration_error": 0.021,
        "note": "",
    }
    for name, parent, origin, generation in (
        ("pol_challenger", "pol_champion", "evolved", 1),
        ("pol_champion", None, "learned", 0),
    )
]
MOVE = {
    "id": "move_1",
    "at": ago(days=1),
    "kind": "rolled_back",
    "before": SERVING,
    "after": SERVING | {"challenger_id": None},
    "reason": "The challenger is surely more than 10 % worse.",
    "figures": {"ratio": 0.61, "ratio_high": 0.88, "challenger_decisions": 812.0},
    "actor": "",
}
TRIAL = {
    "act": "wait",
    "rule": "performance",
    "words": "not enough to tell",
    "champion_rate": 0.11,
    "challenger_rate": 0.1,
    "ratio": 0.91,
    "low": 0.5,
    "high": None,
    "figures": {},
}
POLICY = LINES[1] | {
    "genes": {"margin": 0.01, "tone_smb": "friendly"},
    "weights": [
        {"feature": "bias × email", "reward": 0.1, "reward_deviation": 0.02, "harm": 0.01, "harm_deviation": 0.001}
    ],
    "calibration": {"x": [0.1, 0.5, 0.9], "y": [0.05, 0.4, 0.85], "error": 0.021, "n": 900},
}
EVOLUTION = {
    "id": "evo_1",
    "job_id": "job_1",
    "state": "shadow",
    "generation": 4,
    "seed": "7",
    "actor": "",
    "parent_id": "pol_champion",
    "policy_id": "pol_challenger",
    "note": "a strategy that writes less",
    "created_at": ago(hours=5),
    "changed_at": ago(hours=5),
    "found": {
        "rounds": [{"best": 0.01 * n, "mean": 0.005 * n} for n in range(1, 8)],
        "tried": 320,
        "decisions": 4000,
        "held_out_decisions": 2000,
        "fitness": 0.07,
        "held_out": 0.06,
        "gap": 0.01,
        "parent_fitness": 0.04,
        "parent_held_out": 0.04,
        "gain": 0.02,
        "gain_low": 0.004,
        "gain_high": 0.036,
        "load": 0.2,
        "parent_load": 0.3,
        "harm": 0.01,
        "parent_harm": 0.011,
        "changes": [{"gene": "margin", "before": 0.01, "after": 0.03, "worth": 0.012}],
    },
}
ESTIMATE = {"method": "dr", "value": 0.031, "low": 0.02, "high": 0.042, "effective": 900.0, "matched": 80.0}
OFF_POLICY = [
    {
        "policy_id": "pol_champion",
        "decisions": 4000,
        "logged": 4200,
        "earned": 0.03,
        "estimates": [
            ESTIMATE | {"enough": True, "why": ""},
            ESTIMATE | {"method": "ips", "enough": False, "why": "the log is worth 83 decisions, and 100 are needed"},
        ],
    }
]
PATTERN = {
    "id": "pat_1",
    "kind": "slot",
    "segment": "smb",
    "subject": "evening",
    "rate": 0.3,
    "others": 0.2,
    "low": 0.04,
    "high": 0.16,
    "count": 400,
    "confidence": "high",
    "found_at": ago(days=3),
    "seen_at": ago(hours=1),
}
GAP = {
    "id": "gap_1",
    "measure": "selection",
    "trait": "gender",
    "group": "female",
    "reference": "male",
    "rate": 0.2,
    "reference_rate": 0.3,
    "ratio": 0.67,
    "low": 0.55,
    "high": 0.78,
    "people": 420,
    "reference_people": 400,
    "state": "open",
    "since": ago(days=2),
    "seen_at": ago(minutes=20),
    "settled_by": None,
    "note": "",
}


def page(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The only page of a list."""
    return {"items": items, "next": None}


@dataclass
class FakeEngagement:
    """What waits at the desk, and what it was told: method, path and body."""

    waiting: list[dict[str, Any]] = field(default_factory=lambda: [outreach(1), outreach(2, needs=2, escalated=True)])
    evolutions: list[dict[str, Any]] = field(default_factory=lambda: [EVOLUTION])
    told: list[tuple[str, str, Any]] = field(default_factory=list)
    conflicts: bool = False
    overruled: bool = False
    lines_a_page: int = 100

    def routes(self) -> list[Route]:
        """Every route of the pages."""
        answers: dict[str, Any] = {
            "/api/v1/customers": page([CUSTOMER]),
            "/api/v1/customers/{id}": CUSTOMER,
            "/api/v1/customers/{id}/timeline": page(TIMELINE),
            "/api/v1/console/outbox": page(LETTERS),
            "/api/v1/policies/serving": SERVING,
            "/api/v1/rollbacks": {"trial": TRIAL, "items": [MOVE], "next": None},
            "/api/v1/policies": page(LINES),
            "/api/v1/policies/{id}": POLICY,
            "/api/v1/policies/{id}/lineage": page(LINES),
            "/api/v1/calibration": {
                "policy_id": "pol_champion",
                "measured_at": ago(days=1),
                "calibration": POLICY["calibration"],
                "bins": [
                    {"low": low, "high": low + 0.1, "said": low + 0.05, "true": true, "count": 90}
                    for low, true in ((0.3, 0.31), (0.6, 0.62), (0.8, 0.85))
                ],
                "items": [{"policy_id": "pol_champion", "at": ago(days=1), "error": 0.021}],
                "next": None,
            },
            "/api/v1/off-policy": page(OFF_POLICY),
            "/api/v1/patterns": page([PATTERN]),
            "/api/v1/bias": page([GAP])
            | {"enabled": True, "groups": ["gender"], "least_ratio": 0.8, "least_count": 100, "findings": 1},
        }
        return [
            Route("/api/v1/decisions", self.decisions),
            Route("/api/v1/decisions/{id}", self.story),
            Route("/api/v1/decisions/{id}/overrule", self.overrule, methods=["POST"]),
            Route("/api/v1/outreach", self.outreach),
            Route("/api/v1/outreach/{id}/verdict", self.settle, methods=["POST"]),
            Route("/api/v1/evolutions", self.steps),
            Route("/api/v1/orchestration/evolve", self.evolve, methods=["POST"]),
            *(Route(path, self._answer(value), methods=["GET"]) for path, value in answers.items()),
            *(
                Route(path, self.hear, methods=[method])
                for method, path in (
                    ("PUT", "/api/v1/customers/{id}"),
                    ("DELETE", "/api/v1/customers/{id}"),
                    ("POST", "/api/v1/rollbacks"),
                    ("POST", "/api/v1/learning"),
                    ("POST", "/api/v1/bias/findings/{id}"),
                )
            ),
        ]

    def _answer(self, value: Any) -> Any:
        async def answer(_: Request) -> Response:
            return JSONResponse(value)

        return answer

    async def decisions(self, request: Request) -> Response:
        wanted = request.query_params
        found = [one for one in DECISIONS if wanted.get("state") in (None, one["state"])]
        ids = [one["id"] for one in found]
        begin = ids.index(wanted["cursor"]) + 1 if "cursor" in wanted else 0
        shown = found[begin : begin + self.lines_a_page]
        more = begin + self.lines_a_page < len(found)
        return JSONResponse({"items": shown, "next": shown[-1]["id"] if more else None})

    async def story(self, request: Request) -> Response:
        if request.path_params["id"] != HELD["id"]:
            return JSONResponse(STORY)
        message = STORY["message"] | {"state": "approval"} if self.overruled else None
        return JSONResponse(
            STORY | {"decision": HELD | {"human": self.overruled}, "message": message, "delivery": None}
        )

    async def overrule(self, request: Request) -> Response:
        if self.conflicts:
            return problem(409, "conflict", "What this was decided on is out of date")
        self.told.append((request.method, request.url.path, None))
        self.overruled = True
        return await self.story(request)

    async def outreach(self, _: Request) -> Response:
        return JSONResponse(page(self.waiting))

    async def settle(self, request: Request) -> Response:
        if self.conflicts:
            return problem(409, "conflict", "Somebody was faster")
        self.told.append((request.method, request.path_params["id"], await request.json()))
        self.waiting = [row for row in self.waiting if row["id"] != request.path_params["id"]]
        return JSONResponse(outreach(1) | {"votes": []})

    async def steps(self, _: Request) -> Response:
        return JSONResponse(page(self.evolutions))

    async def evolve(self, request: Request) -> Response:
        self.told.append((request.method, request.url.path, None))
        self.evolutions = [
            EVOLUTION | {"id": "evo_2", "generation": 5, "note": "nothing better was found"},
            *self.evolutions,
        ]
        return JSONResponse(self.evolutions[0] | {"lineage": []}, status_code=202)

    async def hear(self, request: Request) -> Response:
        body = await request.body()
        self.told.append((request.method, request.url.path, await request.json() if body else None))
        return JSONResponse({})
