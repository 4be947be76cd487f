"""Readers of goals: by an image, or by naming objects and their places."""
