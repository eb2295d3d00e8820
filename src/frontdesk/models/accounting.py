"""What a call uses: the most it can, what it probably did, and what that costs."""

from frontdesk.messages import ModelFacts, ModelRequest, TextPart, Usage

BYTES_A_TOKEN = 4  # of English text; an estimate for calls whose provider counted nothing
PROMPT_OVERHEAD = 16  # tokens of framing round each message, generously
IMAGE_TOKENS = 2_000  # the largest image of the providers that we know: about 1,600


def most_tokens(request: ModelRequest, max_tokens: int) -> Usage:
    """An upper bound: byte-level tokenizers never make more tokens than there are bytes."""
    return Usage(prompt_tokens=_prompt_size(request, bytes_a_token=1), completion_tokens=max_tokens)


def likely_tokens(request: ModelRequest, answer: str) -> Usage:
    """An estimate of a call that was cut short, or whose provider counted nothing."""
    return Usage(
        prompt_tokens=_prompt_size(request, bytes_a_token=BYTES_A_TOKEN),
        completion_tokens=-(-len(answer.encode("utf-8", "replace")) // BYTES_A_TOKEN),
    )


def priced(usage: Usage, facts: ModelFacts) -> Usage:
    """The same tokens with their cost, rounded up to a whole millionth."""
    price = usage.prompt_tokens * facts.prompt_price + usage.completion_tokens * facts.completion_price
    return Usage(
        prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens, cost=-(-price // 1_000_000)
    )


def added(one: Usage, other: Usage) -> Usage:
    return Usage(
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        cost=one.cost + other.cost,
    )


def _prompt_size(request: ModelRequest, *, bytes_a_token: int) -> int:
    size = len(request.continue_from.encode("utf-8", "replace"))
    images = 0
    for prompt in request.messages:
        size += PROMPT_OVERHEAD * bytes_a_token
        size += sum(len(call.name) + len(call.arguments.encode("utf-8", "replace")) for call in prompt.tool_calls)
        for part in prompt.parts:
            if isinstance(part, TextPart):
                size += len(part.text.encode("utf-8", "replace"))
            else:
                images += IMAGE_TOKENS
    for passage in request.passages:
        size += len(f"{passage.title}{passage.heading}{passage.text}".encode("utf-8", "replace")) + 16
    for tool in request.tools:
        size += len(tool.name) + len(tool.description.encode("utf-8", "replace")) + len(bytes(tool.parameters))
    return -(-size // bytes_a_token) + images
