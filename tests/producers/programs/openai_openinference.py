"""The openai SDK under the instrumentation of OpenInference."""

from openinference.instrumentation.openai import OpenAIInstrumentor
from traced import openai_calls, telemetry

with telemetry() as (traces, logs):
    OpenAIInstrumentor().instrument(tracer_provider=traces)
    openai_calls()
