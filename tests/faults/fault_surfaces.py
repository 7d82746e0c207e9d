"""The surfaces that the matrix asks, each before an upstream of a certain dialect."""

import json

import msgspec

from gateway.testing.told import Surface


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A surface, asked for a stream or for a whole answer."""

    name: str
    surface: Surface
    """Whose form the answer has."""
    path: str
    fields: dict[str, object]
    dialect: str
    """What the upstream speaks."""
    provider: str = "openai"
    capabilities: tuple[str, ...] = ()
    streamed: bool = True
    lane: str = "direct"

    def body(self, model: str, model_id: str) -> bytes:
        """The request, for that model."""
        if self.surface == "custom":
            return json.dumps({**self.fields, "customModelId": model_id}).encode()
        stream = {"stream": True} if self.streamed else {}
        return json.dumps({**self.fields, **stream, "model": model}).encode()

    @property
    def media_type(self) -> str:
        """What the request says it is."""
        return "text/plain;charset=UTF-8" if self.surface == "custom" else "application/json"


ASKED = [{"role": "user", "content": "hi"}]
SETTINGS = {"model": "m", "temperature": 0.5}
CUSTOM = Shape(
    name="custom",
    surface="custom",
    path="/api/chat/custom",
    fields={"chatSettings": SETTINGS, "messages": ASKED},
    dialect="chat",
)
CHAT = Shape(name="chat", surface="chat", path="/v1/chat/completions", fields={"messages": ASKED}, dialect="chat")
MESSAGES = Shape(
    name="messages",
    surface="messages",
    path="/v1/messages",
    fields={"messages": ASKED, "max_tokens": 9},
    dialect="chat",
)
RESPONSES = Shape(name="responses", surface="responses", path="/v1/responses", fields={"input": "hi"}, dialect="chat")
STREAMED = (
    CUSTOM,
    msgspec.structs.replace(CUSTOM, name="custom by SDK", lane="sdk"),
    CHAT,
    Shape(
        name="completions",
        surface="completions",
        path="/v1/completions",
        fields={"prompt": "hi"},
        dialect="completions",
    ),
    MESSAGES,
    msgspec.structs.replace(MESSAGES, name="messages native", dialect="messages", provider="anthropic"),
    RESPONSES,
    msgspec.structs.replace(RESPONSES, name="responses native", dialect="responses", capabilities=("responses",)),
)
WHOLE = tuple(
    msgspec.structs.replace(shape, name=f"{shape.name}, whole", streamed=False)
    for shape in STREAMED
    if shape.surface != "custom"
)
EMBEDDINGS = Shape(
    name="embeddings",
    surface="plain",
    path="/v1/embeddings",
    fields={"input": "hi"},
    dialect="plain",
    streamed=False,
)
SHAPES = (*STREAMED, *WHOLE, EMBEDDINGS)
