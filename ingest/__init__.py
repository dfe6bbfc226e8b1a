"""Sources, wire formats and stores: name to "module:Class", imported when named."""

from __future__ import annotations

SOURCES: dict[str, str] = {
    "file": "ingest.file:FileSource",
    "http": "ingest.http:HttpSource",
    "kafka": "ingest.kafka:KafkaSource",
}

DECODERS: dict[str, str] = {
    "auto": "ingest.recognise:Recogniser",
    "native": "ingest.native:NativeDecoder",
    "otlp": "ingest.otlp:OtlpDecoder",
    "otlp_proto": "ingest.otlp_proto:OtlpProtoDecoder",
    "litellm": "ingest.litellm:LiteLLM",
    "bedrock": "ingest.bedrock:BedrockInvocations",
    "azure_openai": "ingest.azure:AzureOpenAI",
    "azure_apim": "ingest.azure:ApiManagement",
    "envoy": "ingest.envoy:EnvoyGateway",
    "kong": "ingest.kong:KongGateway",
    "helicone": "ingest.helicone:HeliconeQueue",
    "vertex": "ingest.vertex:VertexRows",
    "mcp": "ingest.mcp:McpDecoder",
    "openai_agents": "ingest.openai_agents:OpenAIAgents",
    "langfuse": "ingest.langfuse:Langfuse",
    "langsmith": "ingest.langsmith:LangSmith",
    "openai": "ingest.pair:OpenAIPair",
    "anthropic": "ingest.pair:AnthropicPair",
    "gemini": "ingest.pair:GeminiPair",
    "converse": "ingest.pair:ConversePair",
    "coding_agents": "ingest.flat:CodingAgents",
    "span": "ingest.flat:Flat",
}

STORES: dict[str, str] = {
    "kafka": "ingest.kafka_store:KafkaCheckpoints",
}
