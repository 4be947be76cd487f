"""What a diagnosis found, and the rules that make a verdict of it."""
