"""What the official clients for Python make of the answers, told as the Node.js programs beside this tell it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anthropic
import openai

_Job = Mapping[str, Any]

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def run_openai(job: _Job) -> dict[str, Any]:
    """By model and scenario."""
    with openai.OpenAI(base_url=f"{job['base']}/v1", api_key=job["key"], max_retries=0) as client:
        return {model: _all(wanted, openai_scenarios(client, model, job)) for model, wanted in job["models"].items()}


def run_anthropic(job: _Job) -> dict[str, Any]:
    """By model and scenario."""
    with anthropic.Anthropic(base_url=job["base"], api_key=job["key"], max_retries=0) as client:
        return {model: _all(wanted, anthropic_scenarios(client, model, job)) for model, wanted in job["models"].items()}


def _all(wanted: Sequence[str], scenarios: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    told = {}
    for name in wanted:
        if name in scenarios:
            try:
                told[name] = scenarios[name]()
            except Exception as error:
                told[name] = {"error": repr(error)}
    return told


def openai_scenarios(client: openai.OpenAI, model: str, job: _Job) -> dict[str, Callable[[], Any]]:
    words, tool = job["words"], job["tool"]

    def ask(content: str, **more: Any) -> dict[str, Any]:
        return {"model": model, "messages": [{"role": "user", "content": content}], **more}

    def whole() -> Any:
        choice = client.chat.completions.create(**ask(words["greet"])).choices[0]
        return {"text": choice.message.content, "finish": choice.finish_reason}

    def streamed() -> Any:
        pieces, finish = [], None
        for chunk in client.chat.completions.create(**ask(words["greet"], stream=True)):
            for choice in chunk.choices:
                pieces += [choice.delta.content] if choice.delta.content else []
                finish = choice.finish_reason or finish
        return {"text": "".join(pieces), "several": len(pieces) > 1, "finish": finish}

    def tools() -> Any:
        given = [{"type": "function", "function": {**tool, "parameters": CITY}}]
        with client.chat.completions.stream(**ask(words["weather"], tools=given)) as stream:
            choice = stream.get_final_completion().choices[0]
        calls = choice.message.tool_calls or []
        results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]
        said = choice.message.model_dump(exclude_none=True, exclude={"parsed"})
        for call in said["tool_calls"]:
            call["function"].pop("parsed_arguments", None)
            call.pop("index", None)
        messages = [{"role": "user", "content": words["weather"]}, said, *results]
        answer = client.chat.completions.create(model=model, tools=given, messages=messages)  # type: ignore[call-overload]
        return {
            "calls": [[call.function.name, json.loads(call.function.arguments)] for call in calls],
            "finish": choice.finish_reason,
            "then": answer.choices[0].message.content,
        }

    def thinking() -> Any:
        thought = text = ""
        for chunk in client.chat.completions.create(**ask(words["think"], stream=True)):
            for choice in chunk.choices:
                thought += getattr(choice.delta, "reasoning_content", None) or ""
                text += choice.delta.content or ""
        return {"thought": thought, "text": text}

    def structured() -> Any:
        schema = {"type": "json_schema", "json_schema": {"name": "report", "strict": True, "schema": CITY}}
        answer = client.chat.completions.create(**ask(words["object"], response_format=schema))
        return json.loads(answer.choices[0].message.content or "")

    def refused() -> Any:
        try:
            client.chat.completions.create(**ask(words["too_much"], stream=True))
        except openai.APIStatusError as error:
            refused = isinstance(error, openai.BadRequestError)
            return {"refused": refused, "status": error.status_code, "said": "Too long for us." in error.message}

    def responses() -> Any:
        asked = [{"role": "user", "content": words["greet"]}]
        answer = client.responses.create(model=model, input=asked)  # type: ignore[call-overload]
        deltas = ""
        with client.responses.stream(model=model, input=asked) as stream:  # type: ignore[arg-type]
            for event in stream:
                deltas += event.delta if event.type == "response.output_text.delta" else ""
            final = stream.get_final_response()
        return {"whole": answer.output_text, "deltas": deltas, "final": final.output_text, "status": final.status}

    def embeddings() -> Any:
        return client.embeddings.create(model=model, input=words["embed"], encoding_format="float").data[0].embedding

    return {
        "whole": whole,
        "stream": streamed,
        "tools": tools,
        "thinking": thinking,
        "object": structured,
        "refused": refused,
        "responses": responses,
        "embeddings": embeddings,
    }


def anthropic_scenarios(
    client: anthropic.Anthropic, model: str, job: Mapping[str, Any]
) -> dict[str, Callable[[], Any]]:
    words, tool = job["words"], job["tool"]

    def ask(content: str, **more: Any) -> dict[str, Any]:
        return {"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": content}], **more}

    def texts(message: Any) -> str:
        return "".join(block.text for block in message.content if block.type == "text")

    def whole() -> Any:
        message = client.messages.create(**ask(words["greet"]))
        return {"text": texts(message), "finish": message.stop_reason}

    def streamed() -> Any:
        with client.messages.stream(**ask(words["greet"])) as stream:
            pieces = list(stream.text_stream)
            message = stream.get_final_message()
        return {"text": "".join(pieces), "several": len(pieces) > 1, "finish": message.stop_reason}

    def tools() -> Any:
        given = [{**tool, "input_schema": CITY}]
        with client.messages.stream(**ask(words["weather"], tools=given)) as stream:
            message = stream.get_final_message()
        uses = [block for block in message.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": use.id, "content": "sunny"} for use in uses]
        messages = [
            {"role": "user", "content": words["weather"]},
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]},
            {"role": "user", "content": results},
        ]
        answer = client.messages.create(model=model, max_tokens=500, tools=given, messages=messages)  # type: ignore[call-overload]
        calls = [[use.name, use.input] for use in uses]
        return {"calls": calls, "finish": message.stop_reason, "then": texts(answer)}

    def thinking() -> Any:
        with client.messages.stream(**ask(words["think"])) as stream:
            message = stream.get_final_message()
        thoughts = [block.thinking for block in message.content if block.type == "thinking"]
        return {"thought": "".join(thoughts), "text": texts(message)}

    def refused() -> Any:
        try:
            with client.messages.stream(**ask(words["too_much"])) as stream:
                stream.get_final_message()
        except anthropic.APIStatusError as error:
            refused = isinstance(error, anthropic.BadRequestError)
            return {"refused": refused, "status": error.status_code, "said": "Too long for us." in error.message}

    return {"whole": whole, "stream": streamed, "tools": tools, "thinking": thinking, "refused": refused}
