"""Agents that act in B episodes at once, and the loop that runs them."""
