"""What is looked for: event to finding, one file a detector.

A detector is added by its file, a line in BUILTIN, `tests/detectors/test_<name>.py` and a golden
stream. Shared statistics are in `detectors.stats`, keys in `detectors.principal`.
"""

BUILTIN = {
    "adversarial_suffix": "detectors.adversarial_suffix:AdversarialSuffix",
    "dangerous_command": "detectors.dangerous_command:DangerousCommand",
    "drift": "detectors.drift:Drift",
    "empty_answer": "detectors.empty_answer:EmptyAnswer",
    "encoded_payload": "detectors.encoded_payload:EncodedPayload",
    "error_burst": "detectors.error_burst:ErrorBurst",
    "first_seen_tool": "detectors.first_seen_tool:FirstSeenTool",
    "hidden_text": "detectors.hidden_text:HiddenText",
    "indirect_injection": "detectors.indirect_injection:IndirectInjection",
    "instruction_override": "detectors.instruction_override:InstructionOverride",
    "known_attack": "detectors.known_attack:KnownAttack",
    "language_switch": "detectors.language_switch:LanguageSwitch",
    "link_exfiltration": "detectors.link_exfiltration:LinkExfiltration",
    "new_sensitive_type": "detectors.new_sensitive_type:NewSensitiveType",
    "novel_prompt": "detectors.novel_prompt:NovelPrompt",
    "output_shape": "detectors.output_shape:OutputShape",
    "persona_jailbreak": "detectors.persona_jailbreak:PersonaJailbreak",
    "probing_rate": "detectors.probing_rate:ProbingRate",
    "prompt_extraction": "detectors.prompt_extraction:PromptExtraction",
    "prompt_leak": "detectors.prompt_leak:PromptLeak",
    "refusal_shift": "detectors.refusal_shift:RefusalShift",
    "respelt_text": "detectors.respelt_text:RespeltText",
    "secret_leak": "detectors.secret_leak:SecretLeak",
    "template_tokens": "detectors.template_tokens:TemplateTokens",
    "unsafe_output": "detectors.unsafe_output:UnsafeOutput",
}
