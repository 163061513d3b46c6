"""The one home of fakes: what stands in for a port; under one contract suite with the real one where there is one."""
