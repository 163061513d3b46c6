"""Pure decisions of the registry: what a row means, who answers for a unit, which versions an import makes."""
