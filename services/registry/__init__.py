"""Registry: units, gateways, departments, contacts and policy packs; import, check, effective-date, publish."""
