"""A district of units over real MQTT: demo, load and chaos tests use it."""
