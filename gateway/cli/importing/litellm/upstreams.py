"""Whom the prefix of a LiteLLM model means: our provider, and where it is asked when the configuration does not say."""

from collections.abc import Mapping
from typing import Final, NamedTuple

OPENAI: Final = "openai"


class Upstream(NamedTuple):
    """One prefix."""

    provider: str
    """What speaks to it here, when an enabled plugin brings it."""
    base_url: str = ""
    """Where it is; empty = the configuration, or the provider, has to say."""
    compatible_url: str | None = ""
    """Where it speaks OpenAI's dialect, for the provider `openai`: empty = at the same address, None = nowhere."""


class Choice(NamedTuple):
    """Who speaks to a model here."""

    provider: str
    base_url: str
    is_native: bool


UPSTREAMS: Final[Mapping[str, Upstream]] = {
    "openai": Upstream(OPENAI, "https://api.openai.com/v1"),
    "text-completion-openai": Upstream(OPENAI, "https://api.openai.com/v1"),
    "custom_openai": Upstream(OPENAI),
    "openai_like": Upstream(OPENAI),
    "azure": Upstream("azure"),
    "azure_text": Upstream("azure"),
    "azure_ai": Upstream("azure"),
    "azure_claude": Upstream("anthropic"),
    "azure_serverless": Upstream(OPENAI),
    "anthropic": Upstream("anthropic", "https://api.anthropic.com/v1", "https://api.anthropic.com/v1"),
    "gemini": Upstream("gemini", "", "https://generativelanguage.googleapis.com/v1beta/openai"),
    "vertex_ai": Upstream("vertex", "", None),
    "vertex_ai_beta": Upstream("vertex", "", None),
    "bedrock": Upstream("bedrock", "", None),
    "cohere": Upstream("cohere", "", "https://api.cohere.ai/compatibility/v1"),
    "cohere_chat": Upstream("cohere", "", "https://api.cohere.ai/compatibility/v1"),
    "ollama": Upstream("ollama", "http://localhost:11434", "http://localhost:11434/v1"),
    "ollama_chat": Upstream("ollama", "http://localhost:11434", "http://localhost:11434/v1"),
    "groq": Upstream("groq", "https://api.groq.com/openai/v1"),
    "mistral": Upstream("mistral", "https://api.mistral.ai/v1"),
    "codestral": Upstream("mistral", "https://codestral.mistral.ai/v1"),
    "deepseek": Upstream("deepseek", "https://api.deepseek.com/v1"),
    "together_ai": Upstream("together", "https://api.together.xyz/v1"),
    "fireworks_ai": Upstream("fireworks", "https://api.fireworks.ai/inference/v1"),
    "xai": Upstream("xai", "https://api.x.ai/v1"),
    "perplexity": Upstream("perplexity", "https://api.perplexity.ai"),
    "openrouter": Upstream("openrouter", "https://openrouter.ai/api/v1"),
    "cerebras": Upstream("cerebras", "https://api.cerebras.ai/v1"),
    "deepinfra": Upstream("deepinfra", "https://api.deepinfra.com/v1/openai"),
    "huggingface": Upstream("huggingface", "https://router.huggingface.co/v1"),
    "moonshot": Upstream("moonshot", "https://api.moonshot.ai/v1"),
    "zai": Upstream("zai", "https://api.z.ai/api/paas/v4"),
    "vercel_ai_gateway": Upstream("vercel", "https://ai-gateway.vercel.sh/v1"),
    "nvidia_nim": Upstream(OPENAI, "https://integrate.api.nvidia.com/v1"),
    "sambanova": Upstream(OPENAI, "https://api.sambanova.ai/v1"),
    "nebius": Upstream(OPENAI, "https://api.studio.nebius.ai/v1"),
    "novita": Upstream(OPENAI, "https://api.novita.ai/v3/openai"),
    "dashscope": Upstream(OPENAI, "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
    "github": Upstream(OPENAI, "https://models.inference.ai.azure.com"),
    "hosted_vllm": Upstream("vllm"),
    "vllm": Upstream("vllm"),
    "lm_studio": Upstream("lmstudio"),
    "llamafile": Upstream("llamacpp", "http://localhost:8080/v1"),
    "docker_model_runner": Upstream(OPENAI, "http://localhost:22088/engines/llama.cpp/v1"),
    "xinference": Upstream(OPENAI, "http://localhost:9997/v1"),
    "infinity": Upstream(OPENAI),
    "litellm_proxy": Upstream("litellm"),
}

KEYS: Final[Mapping[str, str]] = {
    "openai": "OPENAI_API_KEY",
    "text-completion-openai": "OPENAI_API_KEY",
    "azure": "AZURE_API_KEY",
    "azure_text": "AZURE_API_KEY",
    "azure_ai": "AZURE_AI_API_KEY",
    "azure_claude": "AZURE_AI_API_KEY",
    "azure_serverless": "AZURE_AI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "cohere": "COHERE_API_KEY",
    "cohere_chat": "COHERE_API_KEY",
    "bedrock": "AWS_BEARER_TOKEN_BEDROCK",
    "groq": "GROQ_API_KEY",
    "mistral": "MISTRAL_API_KEY",
    "codestral": "CODESTRAL_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "together_ai": "TOGETHERAI_API_KEY",
    "fireworks_ai": "FIREWORKS_AI_API_KEY",
    "xai": "XAI_API_KEY",
    "perplexity": "PERPLEXITYAI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "cerebras": "CEREBRAS_API_KEY",
    "deepinfra": "DEEPINFRA_API_KEY",
    "huggingface": "HF_TOKEN",
    "moonshot": "MOONSHOT_API_KEY",
    "zai": "ZAI_API_KEY",
    "nvidia_nim": "NVIDIA_NIM_API_KEY",
    "sambanova": "SAMBANOVA_API_KEY",
    "nebius": "NEBIUS_API_KEY",
    "novita": "NOVITA_API_KEY",
    "dashscope": "DASHSCOPE_API_KEY",
    "github": "GITHUB_API_KEY",
    "vercel_ai_gateway": "VERCEL_AI_GATEWAY_API_KEY",
}
"""The variable LiteLLM looks a key up in where the configuration names none."""


def split(model: str, said: str | None) -> tuple[str, str]:
    """The prefix and the upstream's own name of a model; the prefix is empty where nobody knows whom it means.

    `said` is the configuration's `custom_llm_provider`.
    """
    prefix, slash, rest = model.partition("/")
    if said:
        return said, rest if slash and prefix == said else model
    if slash and prefix in UPSTREAMS:
        return prefix, rest
    if slash:
        return "", model
    return _by_name(model), model


def _by_name(model: str) -> str:
    """LiteLLM knows names without a prefix from its own list; these are its families."""
    name = model.lower()
    if name.startswith("claude"):
        return "anthropic"
    if name.startswith("command"):
        return "cohere"
    return "vertex_ai" if name.startswith("gemini") else OPENAI


def choose(prefix: str, base_url: str, providers: Mapping[str, str]) -> Choice | None:
    """Who speaks to it, of the enabled providers and their own addresses; None when nobody does."""
    upstream = UPSTREAMS.get(prefix)
    if upstream is None:
        return None
    if upstream.provider in providers:
        own = upstream.base_url or providers[upstream.provider]
        return Choice(upstream.provider, base_url or own, is_native=True)
    if upstream.compatible_url is None or OPENAI not in providers:
        return None
    if base_url and prefix in ("ollama", "ollama_chat") and not base_url.rstrip("/").endswith("/v1"):
        base_url = base_url.rstrip("/") + "/v1"
    own = upstream.compatible_url or upstream.base_url
    return Choice(OPENAI, base_url or own, is_native=False)
