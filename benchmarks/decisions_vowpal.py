"""Times Vowpal Wabbit's choices, in its own virtual environment: work as JSON comes in, figures as JSON go out."""

import json
import sys
import time

import vowpalwabbit


def main() -> None:
    work = json.load(sys.stdin)
    vw = vowpalwabbit.Workspace("--cb_explore_adf --epsilon 0.05 --cb_type mtr --quiet")
    for example in work["taught"]:
        vw.learn(example)
    asked = work["asked"]
    made = [vw.parse(example) for example in asked]
    figures = {
        "text": len(asked) * rate(lambda: [vw.predict(example) for example in asked], work["seconds"]),
        "made": len(asked) * rate(lambda: [vw.predict(example) for example in made], work["seconds"]),
    }
    print(json.dumps(figures))


def rate(act, seconds):
    best = 0.0
    for _ in range(20):
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds / 20:
            act()
            count += 1
        best = max(best, count / (time.perf_counter() - began))
    return best


if __name__ == "__main__":
    main()
