"""Planners that look at imagined states, beside asking for scores."""
