"""Parts of ``slot_dynamics`` that are no networks: its state, what it is trained by, identity."""
