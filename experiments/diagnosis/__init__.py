"""Was it the model, the cost or the search? One part at a time is exchanged for the true one."""
