"""Where candidates come from beside noise: recorded actions, and a network that learnt them."""
