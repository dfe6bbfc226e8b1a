"""The openai SDK under the instrumentation of OpenTelemetry's own."""

from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from traced import openai_calls, telemetry

with telemetry() as (traces, logs):
    OpenAIInstrumentor().instrument(tracer_provider=traces, logger_provider=logs)
    openai_calls()
