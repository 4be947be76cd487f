"""Networks of others as files of TorchScript."""
