"""Translations between the console's words and PostgreSQL, alerts' API, argon2 and HTTP."""
