"""What a policy believes: a Bayesian linear model whose evidence fades, and draws from it that are the same everywhere.

The model is the normal–inverse-gamma one (Gelman et al., *Bayesian Data Analysis*, ch. 14): given the noise, weights
are normal with mean m and covariance noise · A⁻¹, where A is kept in units of one outcome. Evidence fades towards the
prior, not towards ignorance, so a policy that hears nothing for a year is as wary as a new one, never wilder.

Harm has a linear head as well: a probability that is held against a tolerance of a few per cent must be right on
average over each kind of customer and arm, which is what least squares fits. It has a closed form, and unlike a
logistic one it is exact, so that a replay crosses the tolerance where the decision did.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from frontdesk.decision.arms import channel_cost
from frontdesk.decision.features import EFFECTS, FEATURE_NAMES, Floats
from frontdesk.engagement import Genes, Posterior

WEIGHT_STEP = 2.0**-18  # draws and means are multiples of it
WEIGHT_LIMIT = 127.0
NORMAL_STEP = 2.0**-16
DEVIATION_STEP = 2.0**-24  # the factor of the covariance is a multiple of it
USUAL_RATE = 0.10  # the learning rate at which an outcome counts once
NOISE = 0.05  # variance of one outcome before any was seen: rewards of 0 to 1, one in twenty converts
NOISE_OUTCOMES = 100.0  # how many outcomes that guess is worth
HARM_NOISE = 0.01
HARM_SCALE = 0.01  # standard deviation of a weight
TOGETHER = 256  # outcomes that are summed up at a time: so few that the library starts no threads, which take several
# hundred times as long as the sums where other work keeps the processor busy, and add up in an order of their own


def prior(genes: Genes) -> Posterior:
    """What a strategy believes before any outcome: that messages cost what they cost, that what an owner wrote for
    this very purpose helps, and that weights are small.

    `prior_scale` is the standard deviation of a weight, in tenths of a conversion. `optimism` is what a message brings,
    in conversions: without it a new policy trusts nothing, sends nothing and never learns. By its default a new policy
    is nearly sure enough to act, so that people are asked; some dozens of outcomes overrule it.
    """
    known = ("email", "sms", "push")
    other = (genes.cost_in_app + genes.cost_telegram + genes.cost_webhook) / 3
    means = {f"bias × {channel}": other - channel_cost(genes, channel) for channel in known}
    means |= {
        "bias × message": genes.optimism - other,
        "fatigue × message": -genes.fatigue_cost,
        "bias × offer": -genes.cost_offer,
    }
    return _prior(means, genes.prior_scale / 10, NOISE)


def harm_prior() -> Posterior:
    """What is believed of harm before any outcome: one message in a hundred, more where people are tired."""
    return _prior({"bias × message": 0.01, "fatigue × message": 0.01}, HARM_SCALE, HARM_NOISE)


def learn(
    posterior: Posterior,
    x: Floats,
    y: Floats,
    weights: Floats | None = None,
    *,
    forgetting: float = 1.0,
    rate: float = USUAL_RATE,
) -> Posterior:
    """The belief after outcomes `y` [N] of what was done with features `x` [N, D].

    `weights` counts an outcome more or less often than once; `rate` is the learning rate, 0.10 counts as it is.
    `forgetting` is the share of the older evidence that is kept, so `genes.forgetting ** days` since the last time.
    """
    size = len(posterior.mean)
    count = (np.ones(len(y)) if weights is None else weights) * (rate / USUAL_RATE)
    before, precision = mean_of(posterior), np.array(posterior.precision).reshape(size, size)
    if forgetting < 1:
        start = np.diag(posterior.prior_precision)
        faded = forgetting * precision + (1 - forgetting) * start
        pull = forgetting * (precision @ before) + (1 - forgetting) * (start @ np.array(posterior.prior_mean))
        precision, before = faded, np.linalg.solve(faded, pull)
    heavy = x * count[:, None]
    after_precision = precision + _summed(heavy, x)
    after = np.linalg.solve(after_precision, precision @ before + _summed(heavy, y))
    worth = NOISE_OUTCOMES + forgetting * posterior.n
    expected, found = (np.einsum("nd,d->n", x, mean) for mean in (before, after))
    surprise = float(np.sum(count * (y - expected) * (y - found)))  # the increment of the inverse gamma's scale
    seen = float(np.sum(count))
    return Posterior(
        mean=tuple(after.tolist()),
        precision=tuple(after_precision.ravel().tolist()),
        noise=(worth * posterior.noise + surprise) / (worth + seen),
        n=forgetting * posterior.n + seen,
        prior_mean=posterior.prior_mean,
        prior_precision=posterior.prior_precision,
    )


def learn_harm(
    posterior: Posterior,
    x: Floats,
    harmed: Floats,
    weights: Floats | None = None,
    *,
    forgetting: float = 1.0,
    rate: float = USUAL_RATE,
) -> Posterior:
    """The same for harm (1: unsubscribed or complained). Nothing harms nobody, so only what an arm adds counts."""
    return learn(posterior, x * EFFECTS, harmed, weights, forgetting=forgetting, rate=rate)


def mean_of(posterior: Posterior) -> Floats:
    """The mean weights [D]."""
    return np.array(posterior.mean)


def covariance(posterior: Posterior) -> Floats:
    """The covariance of the weights [D, D]."""
    size = len(posterior.mean)
    return posterior.noise * np.linalg.inv(np.array(posterior.precision).reshape(size, size))


def quantised_weights(weights: Floats) -> Floats:
    """Weights on the grid on which their sums with features are exact."""
    return np.clip(np.round(weights / WEIGHT_STEP) * WEIGHT_STEP, -WEIGHT_LIMIT, WEIGHT_LIMIT)


def draws(posterior: Posterior, seed: int, count: int) -> Floats:
    """Weights drawn from the belief [D, count], the same bits on every machine.

    Each is drawn from the belief, but not independently of the others: of any 2 D in a row, half lie at right angles to
    each other, and the others opposite to them (orthogonal Monte Carlo, Yu et al. 2016). Shares of so few are nearer to
    the truth than those of twice as many independent ones. Nothing here leaves the order of operations to a library.
    """
    z = _directions(seed, len(posterior.mean), count)
    return quantised_weights(mean_of(posterior)[:, None] + _scaled(posterior, z.copy()))


def deviations(posterior: Posterior) -> Floats:
    """F [D, D] with covariance F Fᵀ: the length of `x @ F` is the standard deviation of the score of features `x`. The
    same bits on every machine."""
    return np.round(_scaled(posterior, np.eye(len(posterior.mean))) / DEVIATION_STEP) * DEVIATION_STEP


def _summed(x: Floats, y: Floats) -> Floats:
    """The products of the rows of `x` [N, D] and `y` [N] or [N, E], summed up: [D] or [D, E]."""
    total = np.zeros((x.shape[1], *y.shape[1:]))
    for begin in range(0, len(x), TOGETHER):
        total += x[begin : begin + TOGETHER].T @ y[begin : begin + TOGETHER]
    return total


@lru_cache(maxsize=4)  # strategies that are tried beside each other draw by one seed
def _directions(seed: int, size: int, count: int) -> Floats:
    """Standard normal columns [size, count], which nobody may change."""
    sets = -(-count // (2 * size))
    right = [_at_right_angles(each) for each in _normals(seed, size, sets)]
    return np.concatenate([column for each in right for column in (each, -each)], axis=1)[:, :count]


def _scaled(posterior: Posterior, z: Floats) -> Floats:
    """What standard normal columns `z` [D, N], which are used up, become under the covariance."""
    size = len(z)
    factor = _cholesky(np.array(posterior.precision).reshape(size, size))
    for row in range(size - 1, -1, -1):  # back substitution: z becomes L⁻ᵀ z
        z[row] /= factor[row, row]
        z[:row] -= factor[row, :row, None] * z[row]
    return np.sqrt(posterior.noise) * z


def _normals(seed: int, size: int, count: int) -> NDArray[np.int64]:
    """Standard normal numbers [count, size, size] in units of `NORMAL_STEP`: sums of twelve uniforms (Irwin–Hall) made
    of Philox's bits, which NumPy keeps stable."""
    bits = np.random.Philox(seed).random_raw(size * size * count * 3)
    pieces = np.ascontiguousarray(bits).astype("<u8").view("<u2").reshape(count, size, size, 12)
    return pieces.sum(axis=3, dtype=np.int64) - 6 * 0xFFFF


def _at_right_angles(normals: NDArray[np.int64]) -> Floats:
    """Columns that are at right angles to each other, each of them standard normal: the rows of the normal ones, turned
    by Gram and Schmidt's method, and as long as they were. What is left after the turning of a row does not depend on
    its length, nor on the rows before."""
    products = (normals @ normals.T).astype(np.float64)  # whole numbers, so exact
    factor, turned = _cholesky(products), normals.astype(np.float64)
    for row in range(len(turned)):
        turned[row] /= factor[row, row]
        turned[row + 1 :] -= factor[row + 1 :, row, None] * turned[row]
    return (turned * (np.sqrt(np.diag(products)) * NORMAL_STEP)[:, None]).T


def _cholesky(matrix: Floats) -> Floats:
    left = matrix.copy()
    size = len(left)
    for column in range(size):
        left[column, column] = np.sqrt(left[column, column])
        below = left[column + 1 :, column]
        below /= left[column, column]
        left[column + 1 :, column + 1 :] -= below[:, None] * below[None, :]
        left[column, column + 1 :] = 0.0
    return left


def _prior(means: Mapping[str, float], scale: float, noise: float) -> Posterior:
    mean = tuple(means.get(name, 0.0) for name in FEATURE_NAMES)
    precision = (noise / scale**2,) * len(FEATURE_NAMES)
    return Posterior(
        mean=mean,
        precision=tuple(np.diag(precision).ravel().tolist()),
        noise=noise,
        n=0.0,
        prior_mean=mean,
        prior_precision=precision,
    )
