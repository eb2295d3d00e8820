"""Another learner, in a process and an environment of its own: `learning_learning.py` starts it and asks it."""

import contextlib
import io
import pickle
import struct
import sys

import numpy as np


class Vowpal:
    """Vowpal Wabbit's contextual bandits with features that depend on the arm (`--cb_explore_adf`).

    An example is a line of what is shared, `shared |c …`, and one for each arm that the rules left, `|a …`; in training
    that of the arm that was done begins with `0:cost:probability`, where the cost is the reward with its sign turned
    and the probability the one with which it was drawn. By `-q ca` it makes all products of the two sides itself.
    Settings that begin with `ours` give it our features of each arm instead, and nothing shared.
    """

    def __init__(self, settings, arms, costs, pairs, seed):
        import vowpalwabbit

        self._ours = settings.startswith("ours ")
        flags = settings.removeprefix("ours ") if self._ours else f"{settings} -q ca"
        self._vw = vowpalwabbit.Workspace(f"--cb_explore_adf {flags} --quiet --random_seed {seed}")
        self._numbers = arms[:, pairs[1]] if self._ours else arms
        self._pairs = pairs
        self._arms = [f"|a {self._text(row, 'a')}" for row in arms]

    @staticmethod
    def _text(row, prefix):
        return " ".join(f"{prefix}{place}:{value:.6g}" for place, value in enumerate(row) if value)

    def _example(self, numbers, arms, label=None):
        if self._ours:
            features = numbers[self._pairs[0]] * self._numbers[arms]
            lines = [f"|f {self._text(row, 'f')}" for row in features.tolist()]
        else:
            lines = [f"shared |c {self._text(numbers.tolist(), 'c')}", *(self._arms[arm] for arm in arms)]
        if label is not None:
            arm, cost, chance = label
            place = int(np.flatnonzero(arms == arm)[0]) - len(arms)
            lines[place] = f"0:{cost:.6g}:{chance:.6g} {lines[place]}"
        return lines

    def probabilities(self, numbers, eligible):
        chances = np.zeros(eligible.shape)
        for row, (each, allowed) in enumerate(zip(numbers, eligible, strict=True)):
            arms = np.flatnonzero(allowed)
            chances[row, arms] = self._vw.predict(self._example(each, arms))
        return chances / chances.sum(axis=1, keepdims=True)

    def means(self, numbers, eligible):
        """The most probable arm is the one that it believes in."""
        return self.probabilities(numbers, eligible)

    def learn(self, numbers, eligible, arms, propensities, rewards):
        rows = zip(numbers, eligible, arms, propensities, rewards, strict=True)
        for each, allowed, arm, chance, reward in rows:
            self._vw.learn(self._example(each, np.flatnonzero(allowed), (arm, -reward, chance)))


class Mabwiser:
    """MABWiser's linear bandits: a ridge regression for each arm."""

    def __init__(self, settings, arms, costs, pairs, seed):
        from mabwiser.mab import MAB, LearningPolicy

        policies = {"linucb": LearningPolicy.LinUCB(alpha=0.25), "lints": LearningPolicy.LinTS(alpha=0.25)}
        self._count = len(arms)
        self._mab = MAB(arms=list(range(self._count)), learning_policy=policies[settings], seed=seed)
        self._fitted = False

    def probabilities(self, numbers, eligible):
        expected = self._expected(numbers) if self._fitted else np.random.default_rng(0).random(eligible.shape)
        best = np.where(eligible, expected, -np.inf).argmax(axis=1)
        return (np.arange(self._count) == best[:, None]).astype(float)

    def means(self, numbers, eligible):
        """The ridge regressions themselves, without what is added to explore."""
        models = self._mab._imp.arm_to_model
        return np.column_stack([numbers @ models[arm].beta for arm in range(self._count)])

    def _expected(self, numbers):
        found = self._mab.predict_expectations(numbers)
        rows = found if isinstance(found, list) else [found]
        return np.array([[row[arm] for arm in range(self._count)] for row in rows])

    def learn(self, numbers, eligible, arms, propensities, rewards):
        learn = self._mab.partial_fit if self._fitted else self._mab.fit
        learn(arms.tolist(), rewards.tolist(), numbers)
        self._fitted = True


def main():
    inlet, outlet = sys.stdin.buffer, sys.stdout.buffer
    learner = None
    while head := inlet.read(8):
        message = pickle.loads(inlet.read(struct.unpack("<Q", head)[0]))
        with contextlib.redirect_stdout(io.StringIO()):
            if learner is None:
                learner = {"vowpal": Vowpal, "mabwiser": Mabwiser}[sys.argv[1]](**message)
                answer = None
            else:
                answer = getattr(learner, message.pop("do"))(**message)
        body = pickle.dumps(answer)
        outlet.write(struct.pack("<Q", len(body)) + body)
        outlet.flush()


if __name__ == "__main__":
    main()
