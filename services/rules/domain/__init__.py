"""The pure engine: what the log says about a unit, decided without a clock, a driver or a wire format."""
