"""An agent of the OpenAI Agents SDK under the instrumentation of OpenInference."""

import asyncio

import traced
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool
from openai import AsyncOpenAI
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

with traced.telemetry() as (traces, logs):
    OpenAIAgentsInstrumentor().instrument(tracer_provider=traces)
    client = AsyncOpenAI(base_url=f"{traced.PROVIDER}/v1", api_key="sk-unused", max_retries=0)
    model = OpenAIChatCompletionsModel(traced.MODEL, client)
    greeter = Agent(name="greeter", model=model)
    forecaster = Agent(name="forecaster", model=model, tools=[function_tool(traced.get_weather)])

    async def both() -> None:
        await Runner.run(greeter, traced.PLAIN)
        await Runner.run(forecaster, traced.ASKING)

    asyncio.run(both())
