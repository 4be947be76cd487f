"""Runs recorded fixtures of the authors' code through our models: ``python -m tests.parity``."""
