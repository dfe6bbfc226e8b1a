"""An agent of Strands, which has instrumentation of its own."""

import traced
from strands import Agent, tool
from strands.models.openai import OpenAIModel

with traced.telemetry() as (traces, logs):
    model = OpenAIModel(
        client_args={"base_url": f"{traced.PROVIDER}/v1", "api_key": "sk-unused", "max_retries": 0},
        model_id=traced.MODEL,
    )
    Agent(model=model, name="greeter", callback_handler=None)(traced.STREAMED)
    Agent(model=model, name="forecaster", tools=[tool(traced.get_weather)], callback_handler=None)(
        traced.ASKING
    )
