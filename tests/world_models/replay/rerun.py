"""Records as a device does, on any: the same buffers in, nothing else looked at, refusals."""

from __future__ import annotations


class RerunSteps:
    """A ``Capture`` whose replays run the function again on the buffers of the recording.

    Args:
        refused: whether recording fails, in a device's words.
    """

    def __init__(self, refused=False):
        self.refused, self.run_as_is, self.recorded, self.replayed = refused, 0, 0, 0

    def run(self, function):
        self.run_as_is += 1
        return function()

    def record(self, function):
        if self.refused:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        self.recorded += 1

        def replay():
            self.replayed += 1
            return function()

        return replay
