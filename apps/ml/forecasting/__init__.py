"""The mathematics of forecasting, and nothing that knows a framework."""
