"""The anthropic SDK under the instrumentation of OpenInference."""

from openinference.instrumentation.anthropic import AnthropicInstrumentor
from traced import anthropic_calls, telemetry

with telemetry() as (traces, logs):
    AnthropicInstrumentor().instrument(tracer_provider=traces)
    anthropic_calls()
