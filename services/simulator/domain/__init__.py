"""The simulated district, its gateways' behaviour and the scripts of what happens to them. No I/O, no clock."""
