"""Typed client of SPAI: football matches and calibrated 1X2 forecasts."""

from spai_client.client import Client
from spai_client.problems import AccessError, BusyError, InvalidError, NotFoundError, ProblemError

__all__ = ["AccessError", "BusyError", "Client", "InvalidError", "NotFoundError", "ProblemError"]
