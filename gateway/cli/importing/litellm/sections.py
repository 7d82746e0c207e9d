"""The settings of LiteLLM's other sections: what there is here instead of each."""

from collections.abc import Mapping
from typing import Final

from gateway.cli.importing.litellm.notes import Field, Level

RETRIES: Final = (
    "A request gets three attempts in all, over all targets of its route, and retries have a budget. There is no "
    "setting for it: docs/routing.md, Failover and health."
)
COOLING: Final = (
    "A model comes last after three failures in a row, for a second and up to 30 while they go on; after a 429 for as "
    "long as Retry-After says. There is no setting for it: docs/routing.md, Failover and health."
)
_CLASSES: Final = "What is tried again is decided by the kind of failure: docs/routing.md, Failover and health."
_LOGGING: Final = "Write a plugin's observer or usage sink, or read /metrics."
_NO_CACHE: Final = "Answers are not cached."
_LIMITS: Final = "Limits for keys are not imported."
_DATABASE: Final = "The gateway has a database of its own: GATEWAY_DATABASE_URL. Keys and spending do not move."
_REDIS: Final = "One gateway needs no Redis."
_E, _A, _M, _U = Level.EXACT, Level.APPROXIMATE, Level.MANUAL, Level.UNSUPPORTED

_KNOWN: Final[Mapping[str, Mapping[str, tuple[Level, str]]]] = {
    "router_settings": {
        "num_retries": (_A, RETRIES),
        "max_retries": (_A, RETRIES),
        "retry_after": (_A, RETRIES),
        "max_fallbacks": (_A, RETRIES),
        "retry_policy": (_A, _CLASSES),
        "model_group_retry_policy": (_A, _CLASSES),
        "allowed_fails": (_A, COOLING),
        "allowed_fails_policy": (_A, COOLING),
        "cooldown_time": (_A, COOLING),
        "disable_cooldowns": (_U, "Health always chooses; it never refuses the last target of a route."),
        "enable_pre_call_checks": (_E, "Whether a request fits into a target's context is always checked."),
        "routing_strategy_args": (_U, "Strategies have their own settings here."),
        "redis_host": (_M, _REDIS),
        "redis_port": (_M, _REDIS),
        "redis_password": (_M, _REDIS),
        "redis_url": (_M, _REDIS),
        "cache_responses": (_U, _NO_CACHE),
        "cache_kwargs": (_U, _NO_CACHE),
        "set_verbose": (_M, "Say it to the gateway: [log] level."),
        "debug_level": (_M, "Say it to the gateway: [log] level."),
        "optional_pre_call_checks": (_U, "The gateway's own checks are always made."),
    },
    "litellm_settings": {
        "num_retries": (_A, RETRIES),
        "allowed_fails": (_A, COOLING),
        "cooldown_time": (_A, COOLING),
        "drop_params": (_A, "What an upstream refuses is left out by its provider's table and the row's quirks."),
        "modify_params": (_A, "Requests are made to fit an upstream's dialect by its provider."),
        "callbacks": (_M, _LOGGING),
        "success_callback": (_M, _LOGGING),
        "failure_callback": (_M, _LOGGING),
        "service_callbacks": (_M, _LOGGING),
        "service_callback": (_M, _LOGGING),
        "langfuse_default_tags": (_M, _LOGGING),
        "cache": (_U, _NO_CACHE),
        "cache_params": (_U, _NO_CACHE),
        "enable_caching_on_provider_specific_optional_params": (_U, _NO_CACHE),
        "set_verbose": (_M, "Say it to the gateway: [log] level."),
        "json_logs": (_M, "Say it to the gateway: [log] format."),
        "turn_off_message_logging": (_E, "Prompts and answers are never logged."),
        "redact_messages_in_exceptions": (_E, "Prompts and answers are never logged."),
        "redact_user_api_key_info": (_E, "Keys are never logged."),
        "telemetry": (_E, "The gateway calls nobody but upstreams."),
        "guardrails": (_M, "A plugin's transform does that here."),
        "ssl_verify": (_U, "Certificates are always checked; put your own authority into the system's store."),
        "max_budget": (_U, _LIMITS),
        "budget_duration": (_U, _LIMITS),
        "max_internal_user_budget": (_U, _LIMITS),
        "default_internal_user_params": (_U, "There are no users of its own; keys have owners."),
        "default_team_settings": (_U, "There are no teams."),
        "key_generation_settings": (_U, _LIMITS),
        "upperbound_key_generate_params": (_U, _LIMITS),
        "force_ipv4": (_U, "Addresses are tried as the system's resolver gives them."),
        "disable_end_user_cost_tracking": (_E, "Spending is counted by key."),
        "suppress_debug_info": (_E, "Nothing of the kind is printed."),
        "always_include_stream_usage": (_A, "Usage is always asked for; clients get it when they asked."),
        "mcp_aliases": (_U, "MCP servers are not served."),
    },
    "general_settings": {
        "database_url": (_M, _DATABASE),
        "database_type": (_M, _DATABASE),
        "database_connection_pool_limit": (_M, _DATABASE),
        "database_connection_timeout": (_M, _DATABASE),
        "allow_requests_on_db_unavailable": (_E, "Keys and models are served from memory."),
        "store_model_in_db": (_E, "Models are always kept in the database."),
        "store_prompts_in_spend_logs": (_U, "Prompts are never kept."),
        "disable_spend_logs": (_U, "Every attempt has its usage record."),
        "proxy_batch_write_at": (_E, "Usage is written in batches."),
        "salt_key": (_M, "Secrets are sealed by the gateway's own keyring: see docs/secrets.md."),
        "alerting": (_M, "Alert by what /metrics tells."),
        "alerting_threshold": (_M, "Alert by what /metrics tells."),
        "alerting_args": (_M, "Alert by what /metrics tells."),
        "alert_types": (_M, "Alert by what /metrics tells."),
        "background_health_checks": (_A, "Health is seen by requests; a sick model is probed by one of them."),
        "health_check_interval": (_A, "Health is seen by requests; a sick model is probed by one of them."),
        "ui_access_mode": (_U, "There is no web interface."),
        "disable_master_key_return": (_E, "Keys are shown once, when they are made."),
        "max_parallel_requests": (_U, _LIMITS),
        "global_max_parallel_requests": (_M, "Say it to the gateway: see docs/settings.md."),
        "max_request_size_mb": (_M, "Say it to the gateway: see docs/settings.md."),
        "enable_jwt_auth": (_M, "Tokens of others are taken by a plugin's authenticator."),
        "litellm_jwtauth": (_M, "Tokens of others are taken by a plugin's authenticator."),
        "custom_auth": (_M, "Write a plugin's authenticator."),
        "pass_through_endpoints": (_U, "Only /v1/* is served."),
        "allowed_routes": (_U, "Which paths are served is a matter of plugins."),
        "forward_client_headers_to_llm_api": (_U, "Clients' headers never reach an upstream."),
        "infer_model_from_keys": (_U, "A model has to be a row."),
    },
}
_SECTIONS: Final[Mapping[str, tuple[Level, str]]] = {
    "guardrails": (_M, "A plugin's transform does that here."),
    "prompts": (_U, "Prompts are the clients' own."),
    "mcp_servers": (_U, "MCP servers are not served."),
    "mcp_tools": (_U, "MCP servers are not served."),
    "vector_store_registry": (_U, "Vector stores are not served."),
    "search_tools": (_U, "Searches are not served."),
    "files_settings": (_U, "Files are not served."),
    "finetune_settings": (_U, "Fine-tuning is not served."),
    "assistant_settings": (_U, "Assistants are not served."),
    "callback_settings": (_M, _LOGGING),
}


def tell_sections(root: Field) -> None:
    """Say of every setting what there is instead; what nobody knows is lost, and said so."""
    for name, known in _KNOWN.items():
        section = root.get(name)
        for setting, field in section.fields() if section else ():
            if setting in known:
                field.say(*known[setting])
    for name, (level, text) in _SECTIONS.items():
        if (section := root.get(name)) is not None:
            section.say(level, text)
    variables = root.get("environment_variables")
    for name, field in variables.fields() if variables else ():
        field.manual(f"Set {name} where the gateway runs, if a key refers to it.")


def tell_master_key(root: Field) -> bool:
    """Whether there is one; its place here is taken by a key of the gateway's own."""
    general = root.get("general_settings")
    field = general.get("master_key") if general else None
    if field is None:
        return False
    field.manual(
        "The gateway makes an admin key of its own, of a form that can be checked: give that to whoever held this one."
    )
    return True


def default_timeout(root: Field) -> Field | None:
    """The time limit of every model that has none of its own."""
    for section, names in (("router_settings", ("timeout",)), ("litellm_settings", ("request_timeout",))):
        settings = root.get(section)
        for name in names:
            if settings is not None and (field := settings.get(name)) is not None:
                return field
    return None
