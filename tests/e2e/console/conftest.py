from tests.integration.console.harness import console_database, empty_scenario, refusals_broker

__all__ = ["console_database", "empty_scenario", "refusals_broker"]
