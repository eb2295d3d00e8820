"""The section `objectives`: what the system promises to be able to do, month by month."""

from typing import Literal

from pydantic import Field, model_validator

from frontdesk.system.section import Section

Kind = Literal["availability", "latency", "errors", "ratio", "gauge"]


class Objective(Section):
    """One promise over 30 days."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="Unique; small letters and hyphens.")
    category: str = Field(default="", description="Which services it holds; they name it. Empty: the whole system.")
    kind: Kind = Field(
        description="`availability`, `errors` and `ratio` count what is good, `latency` what is fast enough; a `gauge` "
        "is a value with a bound."
    )
    target: float = Field(gt=0, description="Percent that must be good; of a `gauge` the bound itself.")
    better: Literal["higher", "lower"] = Field(default="higher", description="Of a `gauge`: which side is good.")
    threshold: float | None = Field(default=None, gt=0, description="Of `latency`: seconds that a good one may take.")
    good: str = Field(default="", description="PromQL of what is good, over `{window}`; `{jobs}`: of its services.")
    total: str = Field(default="", description="PromQL of all, over `{window}`; `{jobs}` as above.")
    expression: str = Field(default="", description="Of a `gauge`: PromQL of its value.")
    description: str = Field(default="", description="What it promises, in a sentence.")

    @model_validator(mode="after")
    def _whole(self) -> "Objective":
        if self.kind == "gauge":
            if not self.expression:
                raise ValueError("a `gauge` needs an `expression`")
            return self
        if not self.good or not self.total:
            raise ValueError(f"`{self.kind}` needs `good` and `total`")
        if self.target >= 100:
            raise ValueError("the `target` is below 100 percent: with no room for a failure nothing can be changed")
        if self.kind == "latency" and self.threshold is None:
            raise ValueError("`latency` needs a `threshold` in seconds")
        return self


class ObjectivesOptions(Section):
    """Service level objectives. Burn rates of their budgets call people; instant values don't."""

    window_days: int = Field(default=30, ge=1, le=90, description="Days over which budgets count.")
    all: tuple[Objective, ...] = Field(default=(), alias="list", description="Every objective.")
