"""A scripted month of the simulator's district on real parts, with kills; then every figure is held against the log."""
