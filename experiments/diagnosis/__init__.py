"""Finds out whether the model, the cost or the search is at fault: parts exchanged for true ones."""
