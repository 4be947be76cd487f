"""What all searches share: the loop, what it is given, draws, remembers, and when it ends."""
