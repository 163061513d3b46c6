"""MQTT to Kafka: signals, refusals and the ticks that prove that nothing is missing."""
