"""The mathematics of forecasting, without any framework."""
