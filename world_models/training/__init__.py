"""Training: stages, one trainer for every model, validation and checkpoints."""
