"""Parts of the simulator that imagines with a model."""
