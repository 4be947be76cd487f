"""Parts of ``slot_dynamics``: its state, how it sees, what it is trained by."""
