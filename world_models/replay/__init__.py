"""What is recorded once and replayed, where launches cost more than what they launch."""
