"""Generated requests against a whole desk: whatever comes, it answers by its own document and never with a 5xx."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator
from typing import NamedTuple

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.specs.openapi.checks import response_schema_conformance

from frontdesk.messages import Role
from frontdesk.testing.desk import served_desk
from frontdesk.testing.upstream import Reply

FULL_CASES = 10_000
ELSEWHERE = {
    ("post", "/api/v1/knowledge/documents"),  # fetches pages: the readers and the egress client have tests of their own
    ("get", "/api/v1/auth/start/{provider}"),  # redirects to a provider
}
FIELDS = (
    "model",
    "messages",
    "input",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "n",
    "stop",
    "seed",
    "max_tokens",
    "max_completion_tokens",
    "tools",
    "tool_choice",
    "response_format",
    "text",
    "instructions",
    "previous_response_id",
    "encoding_format",
    "dimensions",
    "metadata",
)
WORDS = (
    "frontdesk",
    "scripted",
    "user",
    "assistant",
    "tool",
    "text",
    "function",
    "json_schema",
    "input_text",
    "\0",
    "é",
)


class Running(NamedTuple):
    """A desk in a thread of its own, and a key that may do everything its person may."""

    address: str
    headers: dict[str, str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    loop = asyncio.new_event_loop()
    begun: asyncio.Future[Running] = loop.create_future()
    end = asyncio.Event()

    async def serve() -> None:
        async with served_desk(
            tmp_path_factory.mktemp("desk"),
            model=lambda _: Reply(text="We open at nine."),
            settings={"engagement.enabled": True},
        ) as served:
            owner = await served.client(Role.OWNER, "Ann")
            program = await served.program(owner, "*")
            begun.set_result(Running(served.address, dict(program.headers)))
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()

    async def wait() -> Running:
        return await begun

    yield asyncio.run_coroutine_threadsafe(wait(), loop).result(60)
    loop.call_soon_threadsafe(end.set)
    thread.join(60)
    loop.close()


def bounded(cases: int) -> settings:
    return settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("wrong", [False, True], ids=["fitting", "unfitting"])
def test_generated_calls_of_the_native_api_are_answered_by_its_document(
    running: Running, size: Callable[[int, int], int], pytestconfig: pytest.Config, wrong: bool
) -> None:
    schema = schemathesis.openapi.from_url(f"{running.address}/api/v1/openapi.json")
    operations = [
        operation.ok()
        for operation in schema.get_all_operations()
        if (operation.ok().method.lower(), operation.ok().path) not in ELSEWHERE
    ]
    mode = schemathesis.GenerationMode.NEGATIVE if wrong else schemathesis.GenerationMode.POSITIVE
    cases = size(3, FULL_CASES // len(operations) // 2 + 1)
    for operation in operations:

        @seed(pytestconfig.getoption("seed"))
        @bounded(cases)
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case) -> None:
            answer = case.call(headers=running.headers)
            assert answer.status_code < 500, answer.text
            if answer.status_code >= 400:
                error = answer.json()["error"]
                assert error["code"]
                assert error["message"]
            else:
                case.validate_response(answer, checks=[response_schema_conformance])

        with contextlib.suppress(Unsatisfiable):  # nothing that this operation takes can be wrong
            check()


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("role", "content", "type", "text", "name", "function", "url")), inner, max_size=4
        )
    ),
    max_leaves=8,
)
message = st.fixed_dictionaries({"role": st.sampled_from(WORDS), "content": st.sampled_from(WORDS) | values})
bodies = st.dictionaries(st.sampled_from(FIELDS), values, max_size=5).flatmap(
    lambda more: st.fixed_dictionaries(
        {"model": st.sampled_from(("frontdesk", "scripted", "x")), "messages": st.lists(message, max_size=3)}
    ).map(lambda usual: usual | {"input": "Hello"} | more)
)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/embeddings"])
def test_generated_bodies_of_the_openai_api_are_answered_or_refused(
    running: Running, size: Callable[[int, int], int], pytestconfig: pytest.Config, path: str
) -> None:
    with httpx2.Client(base_url=running.address, headers=running.headers, timeout=30) as client:

        @seed(pytestconfig.getoption("seed"))
        @bounded(size(40, 3_500))
        @given(body=bodies)
        def check(body: dict[str, object]) -> None:
            answer = client.post(path, json=body)
            assert answer.status_code < 500, (body, answer.text)
            if answer.status_code >= 400:
                error = answer.json()["error"]
                assert error["type"]
                assert error["message"]

        check()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/api/v1/chat"])
def test_bytes_that_are_no_json_are_refused(
    running: Running, size: Callable[[int, int], int], pytestconfig: pytest.Config, path: str
) -> None:
    with httpx2.Client(base_url=running.address, headers=running.headers, timeout=30) as client:

        @seed(pytestconfig.getoption("seed"))
        @bounded(size(30, 2_500))
        @given(
            body=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
        )
        def check(body: bytes) -> None:
            answer = client.post(path, content=body, headers={"content-type": "application/json"})
            assert answer.status_code in (400, 422), (body, answer.text)

        check()
