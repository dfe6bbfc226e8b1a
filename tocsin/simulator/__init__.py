"""Traffic of a simulated fleet with labelled incidents, for the demo, tests and bench."""

from tocsin.simulator.encoding import OtlpBatches, native
from tocsin.simulator.incidents import Incident
from tocsin.simulator.traffic import START, Simulator

__all__ = ["START", "Incident", "OtlpBatches", "Simulator", "native"]
