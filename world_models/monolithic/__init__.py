"""Models that see a scene as one thing: K = 1, masks of ones."""
