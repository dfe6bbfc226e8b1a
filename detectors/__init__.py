"""What is looked for: event to finding, one file a detector.

A detector is added by its file, a line in BUILTIN, `tests/detectors/test_<name>.py` and a golden
stream. Shared statistics are in `detectors.stats`, keys in `detectors.principal`.
"""

BUILTIN = {
    "drift": "detectors.drift:Drift",
    "error_burst": "detectors.error_burst:ErrorBurst",
    "first_seen_tool": "detectors.first_seen_tool:FirstSeenTool",
    "probing_rate": "detectors.probing_rate:ProbingRate",
}
