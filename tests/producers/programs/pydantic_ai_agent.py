"""An agent of Pydantic AI, which has instrumentation of its own."""

from contextlib import suppress

import traced
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

with traced.telemetry() as (traces, logs):
    Agent.instrument_all(InstrumentationSettings(tracer_provider=traces))
    client = AsyncOpenAI(base_url=f"{traced.PROVIDER}/v1", api_key="sk-unused", max_retries=0)
    model = OpenAIChatModel(traced.MODEL, provider=OpenAIProvider(openai_client=client))
    Agent(model, name="greeter").run_sync(traced.PLAIN)
    Agent(model, name="forecaster", tools=[traced.get_weather]).run_sync(traced.ASKING)
    with suppress(ModelHTTPError):
        Agent(model, name="greeter").run_sync(traced.FAILING)
