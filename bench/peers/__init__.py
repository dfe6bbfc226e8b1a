"""Other detectors that can be installed today, beside Tocsin's reading of the same texts."""
