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
    "openai": "ingest.pair:OpenAIPair",
    "anthropic": "ingest.pair:AnthropicPair",
    "gemini": "ingest.pair:GeminiPair",
    "converse": "ingest.pair:ConversePair",
    "mcp": "ingest.mcp:McpDecoder",
}

STORES: dict[str, str] = {
    "kafka": "ingest.kafka_store:KafkaCheckpoints",
}
