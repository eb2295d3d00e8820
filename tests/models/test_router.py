"""The router: who is asked, how often, and what is left of failures."""

import asyncio
import random
from collections.abc import Sequence

import msgspec
import pytest

from frontdesk.clock import SystemClock
from frontdesk.errors import BudgetSpent, MissingExtra, ModelRefused, ModelUnavailable, UnknownModel, Unprocessable
from frontdesk.messages import ImagePart, ModelFacts, ModelRequest, Prompt, ToolCall
from frontdesk.models.failures import CallFailed
from frontdesk.models.member import Member
from frontdesk.models.openai import OpenAIModel
from frontdesk.models.options import CircuitOptions, Retry, TimeOuts
from frontdesk.models.quote import QuoteModel
from frontdesk.models.router import Router
from frontdesk.models.scripted import Rule, ScriptedModel
from frontdesk.telemetry import metrics
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.upstream import OpenAIWire, Reply, Upstream
from tests.models.asking import WEATHER, Book, Purse, ask, hear, options, parts, passage

WEAK = ModelFacts(strength="small", tools=False)


def router_of(*models: ScriptedModel | QuoteModel, clock: FakeClock, **more: object) -> Router:
    members = [Member(model, clock=clock, model_id=f"{model.name}-id") for model in models]
    return Router(members, clock=clock, chance=random.Random(1), **more)


def model(
    name: str, *rules: Rule, clock: FakeClock, once: Sequence[Rule] = (), facts: ModelFacts | None = None
) -> ScriptedModel:
    return ScriptedModel(name, rules or (Rule(answer=f"I am {name}."),), clock=clock, once=once, facts=facts)


async def until(clock: FakeClock, task: asyncio.Task[object], *, step: float = 0.5, most: int = 400) -> None:
    """Let time pass until the task is done."""
    for _ in range(most):
        for _ in range(20):
            await asyncio.sleep(0)
        if task.done():
            return
        clock.advance(step)
    raise AssertionError("the task did not end")


async def heard(router: Router, request: ModelRequest, clock: FakeClock):
    task = asyncio.ensure_future(hear(router, request))
    await until(clock, task)
    return task.result()


async def test_the_first_model_in_order_answers() -> None:
    clock = FakeClock()
    said = await hear(router_of(model("a", clock=clock), model("b", clock=clock), clock=clock), ask())
    assert said.text == "I am a."
    assert said.done is not None
    assert said.done.model == "a"


async def test_a_model_is_tried_three_times_and_the_next_answers_without_a_trace() -> None:
    clock = FakeClock()
    broken = model("a", Rule(fails="server_error"), clock=clock)
    said = await heard(router_of(broken, model("b", clock=clock), clock=clock), ask(), clock)
    assert (said.text, said.changes, len(broken.asked)) == ("I am b.", [], 3)


@pytest.mark.parametrize("reason", ["malformed", "too_large", "credentials", "not_found", "too_long"])
async def test_a_failure_that_would_come_again_is_not_retried(reason: str) -> None:
    clock = FakeClock()
    broken = model("a", Rule(fails=reason), clock=clock)
    said = await heard(router_of(broken, model("b", clock=clock), clock=clock), ask(), clock)
    assert (said.text, len(broken.asked)) == ("I am b.", 1)


async def test_retry_after_is_obeyed() -> None:
    clock = FakeClock()
    limited = model("a", clock=clock, once=[Rule(fails="rate_limited", retry_after=6)])
    said = await heard(router_of(limited, clock=clock), ask(), clock)
    assert said.text == "I am a."
    assert clock.monotonic() >= 6


async def test_a_provider_that_asks_for_too_much_patience_is_passed_over() -> None:
    clock = FakeClock()
    limited = model("a", Rule(fails="rate_limited", retry_after=3600), clock=clock)
    said = await heard(router_of(limited, model("b", clock=clock), clock=clock), ask(), clock)
    assert (said.text, len(limited.asked)) == ("I am b.", 1)
    alone = router_of(limited, clock=clock)
    with pytest.raises(ModelUnavailable) as caught:
        await heard(alone, ask(), clock)
    assert caught.value.retry_after == 3600


async def test_waits_between_tries_double_and_vary() -> None:
    clock = FakeClock()
    router = router_of(model("a", clock=clock), clock=clock, retry=Retry(first_wait=1, longest_wait=100))
    problem = CallFailed("x", reason="server_error")
    for number in range(4):
        waits = {router._wait(problem, number) for _ in range(50)}
        assert len(waits) > 1
        assert all(2**number / 2 <= wait <= 2**number for wait in waits if wait is not None)


async def test_a_silent_model_is_given_up_after_its_time() -> None:
    clock = FakeClock()
    slow = model("a", Rule(answer="late", first_delay=31), clock=clock)
    quick = model("b", clock=clock)
    said = await heard(router_of(slow, quick, clock=clock, retry=Retry(tries=1)), ask(), clock)
    assert said.text == "I am b."
    assert 30 <= clock.monotonic() <= 31.5


async def test_a_model_that_stops_between_words_is_given_up_after_its_time() -> None:
    clock = FakeClock()
    slow = model("a", Rule(answer=("One ", "two"), delay=21), clock=clock)
    said = await heard(router_of(slow, model("b", Rule(answer="2."), clock=clock), clock=clock), ask(), clock)
    assert said.text == "One 2."
    assert 20 <= clock.monotonic() <= 21.5


async def test_a_slow_reader_is_no_failing_model() -> None:
    clock = FakeClock()
    router = router_of(model("a", Rule(answer="One two three"), clock=clock), clock=clock)
    words = []
    async for event in router.stream(ask()):
        words.append(event)
        for _ in range(10):
            clock.advance(19)
            await asyncio.sleep(0)
    assert router.health()[0].failures == 0
    assert len(words) == 4


async def test_a_model_that_never_ends_is_ended() -> None:
    clock = FakeClock()
    endless = model("a", Rule(answer=tuple(f"{n} " for n in range(500)), delay=5), clock=clock)
    members = [Member(endless, clock=clock, time_outs=TimeOuts(whole=100))]
    router = Router(members, clock=clock, retry=Retry(tries=1))
    task = asyncio.ensure_future(hear(router, ask()))
    await until(clock, task)
    assert isinstance(task.exception(), ModelUnavailable)
    assert clock.monotonic() < 120


async def test_an_answer_beyond_all_bounds_is_cut_off() -> None:
    clock = FakeClock()
    flood = model("a", Rule(answer=("x" * 1000,) * 50), clock=clock)
    with pytest.raises(ModelUnavailable):
        await heard(router_of(flood, model("b", clock=clock), clock=clock, largest=10_000), ask(), clock)


@pytest.mark.proves("assistant-10")
async def test_three_tries_then_the_circuit_opens_and_it_closes_after_recovery() -> None:
    clock = FakeClock()
    failing = [Rule(fails="server_error")] * 6
    flaky = model("a", clock=clock, once=failing)
    router = router_of(flaky, clock=clock)
    gauge = metrics.model_circuit_open.labels("a")._value
    with pytest.raises(ModelUnavailable, match="No model can answer at the moment"):
        await heard(router, ask(), clock)
    assert len(flaky.asked) == 3
    with pytest.raises(ModelUnavailable):
        await heard(router, ask(), clock)
    assert len(flaky.asked) == 5, "the fifth failure opens the circuit"
    assert (router.health()[0].state, gauge.get()) == ("open", 1)
    with pytest.raises(ModelUnavailable) as caught:
        await hear(router, ask())
    assert len(flaky.asked) == 5
    assert caught.value.hint
    assert 0 < (caught.value.retry_after or 0) <= 30
    clock.advance(30)
    assert router.health()[0].state == "half_open"
    with pytest.raises(ModelUnavailable):
        await heard(router, ask(), clock)
    assert len(flaky.asked) == 6, "a failed try opens it again"
    clock.advance(30)
    assert (await heard(router, ask(), clock)).text == "I am a."
    assert (router.health()[0].state, gauge.get()) == ("closed", 0)


async def test_an_open_circuit_changes_what_the_desk_is_able_to() -> None:
    clock = FakeClock()
    strong = model("a", Rule(fails="credentials"), clock=clock)
    members = [
        Member(strong, clock=clock, circuit=CircuitOptions(failures=1)),
        Member(model("b", clock=clock, facts=WEAK), clock=clock),
    ]
    router = Router(members, clock=clock)
    assert router.facts.strength == "strong"
    await hear(router, ask())
    assert router.facts.strength == "small"


async def test_a_refused_request_is_refused_and_no_sign_of_illness() -> None:
    clock = SystemClock()
    async with Upstream(OpenAIWire(), [Reply(status=400, error="bad temperature")]) as upstream:
        wire = OpenAIModel.build(options("openai", upstream.url), parts())
        router = Router([Member(wire, clock=clock), Member(ScriptedModel(clock=clock), clock=clock)], clock=clock)
        for _ in range(6):
            with pytest.raises(ModelRefused, match="bad temperature"):
                await hear(router, ask())
        await router.close()
    assert router.health()[0].state == "closed"


async def test_what_a_request_needs_decides_who_is_asked() -> None:
    clock = FakeClock()
    blind = model("blind", clock=clock)
    blind._facts = ModelFacts(images=False)
    seeing = model("seeing", clock=clock, facts=ModelFacts(images=True))
    image = Prompt(role="user", parts=(ImagePart(media_type="image/png", data=b"x"),))
    assert (await hear(router_of(blind, seeing, clock=clock), ModelRequest(messages=(image,)))).text == "I am seeing."
    with pytest.raises(Unprocessable, match="images"):
        await hear(router_of(blind, clock=clock), ModelRequest(messages=(image,)))


async def test_offered_tools_prefer_a_model_that_can_and_forced_ones_need_it() -> None:
    clock = FakeClock()
    weak, strong = model("weak", clock=clock, facts=WEAK), model("strong", clock=clock)
    offered = ask(tools=(WEATHER,))
    assert (await hear(router_of(weak, strong, clock=clock), offered)).text == "I am strong."
    assert (await hear(router_of(weak, clock=clock), offered)).text == "I am weak."
    assert weak.asked[-1].tools == ()
    with pytest.raises(Unprocessable, match="tools"):
        await hear(router_of(weak, clock=clock), ask(tools=(WEATHER,), tool_choice="required"))


async def test_with_sources_a_quote_serves_better_than_a_small_model() -> None:
    clock = FakeClock()
    weak, quote = model("weak", clock=clock, facts=WEAK), QuoteModel("quote", None)
    router = router_of(weak, quote, clock=clock)
    assert (await hear(router, ask("open?", passages=(passage("It is open."),)))).text == "It is open. [1]"
    assert (await hear(router, ask("hello"))).text == "I am weak."


async def test_half_a_tool_call_is_dropped_and_asked_for_anew() -> None:
    clock = FakeClock()
    call = ToolCall(id="c1", name="weather", arguments='{"city":"Rome"}')

    class Breaking(ScriptedModel):
        async def stream(self, request):
            first = not self.asked
            async for event in super().stream(request):
                yield event
                if first and getattr(event, "id", None):
                    raise ModelUnavailable("gone")

    broken = Breaking("a", (Rule(calls=(call,)),), clock=clock)
    sound = model("b", Rule(calls=(call,)), clock=clock)
    said = await heard(router_of(broken, sound, clock=clock), ask(tools=(WEATHER,)), clock)
    assert {index: (p[0], p[1], "".join(p[2:])) for index, p in said.calls.items()} == {
        0: ("c1", "weather", call.arguments)
    }
    assert said.done is not None
    assert (said.done.reason, said.done.model) == ("tool_calls", "b")


async def test_a_plug_in_that_breaks_is_a_failed_model() -> None:
    clock = FakeClock()

    class Broken(ScriptedModel):
        async def stream(self, request):
            raise KeyError("oops")
            yield

    said = await hear(router_of(Broken("a", clock=clock), model("b", clock=clock), clock=clock), ask())
    assert said.text == "I am b."


async def test_models_are_found_by_name_id_and_alias() -> None:
    clock = FakeClock()
    router = router_of(model("a", clock=clock), model("b", clock=clock), clock=clock, aliases={"gpt-4": "b-id"})
    for name in ("b", "b-id", "gpt-4"):
        assert (await hear(router.model(name), ask())).text == "I am b."
    with pytest.raises(UnknownModel):
        router.model("c")


async def test_a_model_asked_by_name_has_nobody_to_fall_back_to() -> None:
    clock = FakeClock()
    router = router_of(model("a", Rule(fails="malformed"), clock=clock), model("b", clock=clock), clock=clock)
    with pytest.raises(ModelUnavailable):
        await hear(router.model("a"), ask())
    assert [health.failures for health in router.health()] == [1, 0]


@pytest.mark.proves("abuse-19")
async def test_200_parallel_calls_on_one_calls_budget_spend_at_most_the_budget() -> None:
    clock, book = FakeClock(), Book()
    price = ModelFacts(prompt_price=1_000_000, completion_price=3_000_000)
    paid = model("a", Rule(answer="word " * 20, delay=0.1), clock=clock, facts=price)
    # one call of at most 8 + 16 + 100 tokens fits 400 millionths, two do not
    budget = Purse(cost=400)
    router = router_of(paid, clock=clock, budget=budget, ledger=book)
    tasks = [asyncio.ensure_future(hear(router, ask(max_tokens=100))) for _ in range(200)]
    everyone = asyncio.ensure_future(asyncio.wait(tasks))
    await until(clock, everyone)
    outcomes = [task.exception() for task in tasks]
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, BudgetSpent) for outcome in outcomes) == 199
    assert len(paid.asked) == 1
    assert 0 < sum(usage.cost for _, _, usage in book.calls) <= 400


async def test_what_was_reserved_and_not_used_is_given_back() -> None:
    clock = FakeClock()
    budget = Purse(tokens=1000)
    router = router_of(model("a", clock=clock), clock=clock, budget=budget)
    for _ in range(5):
        await hear(router, ask(max_tokens=800))
    with pytest.raises(BudgetSpent):
        await hear(router, ask(max_tokens=990))


@pytest.mark.proves("abuse-19")
async def test_a_200_k_token_input_is_refused_before_it_is_sent() -> None:
    clock = FakeClock()
    paid = model("a", clock=clock, facts=ModelFacts(context_tokens=1_000_000))
    router = router_of(paid, clock=clock, budget=Purse(tokens=100_000))
    with pytest.raises(BudgetSpent):
        await hear(router, ask("word " * 200_000))
    assert not paid.asked


async def test_when_the_money_is_gone_the_desks_own_model_still_answers() -> None:
    clock = FakeClock()
    budget = Purse(tokens=1)
    router = router_of(model("a", clock=clock), model("own", clock=clock, facts=WEAK), clock=clock, budget=budget)
    assert (await hear(router, ask())).text == "I am own."


async def test_tokens_in_the_metric_are_those_of_the_ledger() -> None:
    clock, book = FakeClock(), Book()
    router = router_of(model("metered", clock=clock), clock=clock, ledger=book)
    prompt = metrics.tokens_used.labels("metered", "prompt")._value
    completion = metrics.tokens_used.labels("metered", "completion")._value
    before = (prompt.get(), completion.get())
    for _ in range(3):
        await hear(router, ask(account="t"))
    assert prompt.get() - before[0] == sum(usage.prompt_tokens for _, _, usage in book.calls) > 0
    assert completion.get() - before[1] == sum(usage.completion_tokens for _, _, usage in book.calls) > 0


async def test_an_interrupted_reader_counts_for_neither_side() -> None:
    clock = FakeClock()
    slow = model("a", Rule(answer="One two", delay=5), clock=clock)
    router = router_of(slow, clock=clock)
    task = asyncio.ensure_future(hear(router, ask()))
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    health = router.health()[0]
    assert (health.calls, health.failures, health.state) == (1, 0, "closed")


async def test_many_at_once_do_not_mix() -> None:
    clock = FakeClock()
    rules = [Rule(pattern=f"^q{n}$", answer=f"answer {n} is {n}", delay=0.1) for n in range(50)]
    router = router_of(model("a", *rules, clock=clock), clock=clock)
    tasks = [asyncio.ensure_future(hear(router, ask(f"q{n}"))) for n in range(50)]
    await until(clock, asyncio.ensure_future(asyncio.wait(tasks)))
    assert [task.result().text for task in tasks] == [f"answer {n} is {n}" for n in range(50)]


def test_a_request_is_never_changed() -> None:
    with pytest.raises(AttributeError):
        ask().account = "x"
    assert msgspec.structs.replace(ask(), account="x").account == "x"


async def test_a_model_that_is_not_installed_is_passed_over_and_named_when_it_is_alone() -> None:
    clock = FakeClock()

    class Absent(ScriptedModel):
        async def stream(self, request):
            raise MissingExtra("not installed", hint="pip install it")
            yield

    absent = Absent("a", clock=clock)
    assert (await hear(router_of(absent, model("b", clock=clock), clock=clock), ask())).text == "I am b."
    with pytest.raises(MissingExtra):
        await hear(router_of(absent, clock=clock), ask())


async def test_an_answer_that_another_process_began_is_not_begun_anew() -> None:
    clock = FakeClock()
    said = await hear(router_of(model("a", clock=clock), clock=clock), ask(continue_from="I am "))
    assert said.text == "a."
    assert said.changes == []
