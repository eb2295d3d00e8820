"""A small system file, its arms and a policy, for tests of deciding."""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from frontdesk.decision.arms import LIMIT, STEP, Arms
from frontdesk.decision.features import CUSTOMER_NUMBERS, FEATURE_NAMES, Floats, rows
from frontdesk.decision.options import EngagementOptions, MessageOptions, TemplateOptions
from frontdesk.decision.posterior import harm_prior, prior
from frontdesk.engagement import Calibration, Genes, Policy, Posterior

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TEMPLATES = {"friendly": TemplateOptions(body="Hello {name}")}
OPTIONS = EngagementOptions(
    messages=[
        MessageOptions(
            key="welcome", objectives=["onboard"], channels=["email", "in_app"], slots=["now"], templates=TEMPLATES
        ),
        MessageOptions(
            key="sale",
            objectives=["upsell"],
            channels=["sms"],
            slots=["morning", "evening"],
            offer=0.5,
            risk=0.02,
            templates=TEMPLATES,
        ),
    ]
)
ARMS = Arms.of(OPTIONS, Genes())


def quantise(numbers: Floats) -> Floats:
    """Numbers on the grid that policies take."""
    return np.clip(np.round(numbers / STEP) * STEP, -LIMIT, LIMIT)


def policy(
    genes: Genes = Genes(),  # noqa: B008
    *,
    reward: Posterior | None = None,
    harm: Posterior | None = None,
    calibration: Calibration = Calibration(),  # noqa: B008
    seed: int = 1,
) -> Policy:
    """A policy that knows nothing yet, or what is given."""
    return Policy(
        id="policy-1",
        parent_id=None,
        strategy="first",
        origin="first",
        generation=0,
        created_at=NOON,
        born_at=NOON,
        genes=genes,
        features=FEATURE_NAMES,
        reward=reward or prior(genes),
        harm=harm or harm_prior(),
        calibration=calibration,
        draws_seed=seed,
    )


def sure(means: Mapping[str, float], *, precision: float = 1e6) -> Posterior:
    """A belief that is all but certain of these weights, by the names of features."""
    mean = tuple(means.get(name, 0.0) for name in FEATURE_NAMES)
    return Posterior(
        mean=mean,
        precision=tuple((np.eye(len(mean)) * precision).ravel().tolist()),
        noise=1.0,
        n=1000.0,
        prior_mean=mean,
        prior_precision=(precision,) * len(mean),
    )


def people(count: int, seed: int = 0) -> Floats:
    """Numbers of customers [count, C]."""
    numbers = quantise(np.random.default_rng(seed).uniform(0, 1, (count, len(CUSTOMER_NUMBERS))))
    numbers[:, CUSTOMER_NUMBERS.index("bias")] = 1.0
    return numbers


def design(numbers: Floats, arms: Arms) -> Floats:
    """The features of each arm for each customer: from numbers [B, C] to [B, A, D]."""
    return np.stack([rows(numbers, arms, np.full(len(numbers), arm)) for arm in range(len(arms))], axis=1)
