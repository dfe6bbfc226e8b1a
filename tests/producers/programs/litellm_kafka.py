"""LiteLLM with the callback of compose/shippers/litellm, which produces to Kafka."""

import os
import sys
import time
from contextlib import suppress

sys.path.append(os.environ["CALLBACK"])

import litellm
import tocsin_kafka
import traced

litellm.callbacks = [tocsin_kafka.callback]
common = {"model": f"openai/{traced.MODEL}", "api_base": f"{traced.PROVIDER}/v1", "api_key": "sk-unused"}
user = {"metadata": {"session_id": "s1"}, "user": "ada"}
litellm.completion(**common, **user, messages=[{"role": "user", "content": traced.PLAIN}])
streamed = litellm.completion(**common, messages=[{"role": "user", "content": traced.STREAMED}], stream=True)
assert list(streamed)
with suppress(litellm.BadRequestError):
    litellm.completion(**common, messages=[{"role": "user", "content": traced.FAILING}], num_retries=0)
litellm.completion(**common, messages=[{"role": "user", "content": traced.ASKING}], tools=[traced.TOOL])
time.sleep(2)  # the callback runs in a thread of LiteLLM's own
tocsin_kafka.callback.flush()
assert tocsin_kafka.callback.dropped == 0
