"""The openai SDK under the instrumentation of Traceloop."""

from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from traced import openai_calls, telemetry

with telemetry() as (traces, logs):
    OpenAIInstrumentor().instrument(tracer_provider=traces, logger_provider=logs)
    openai_calls()
