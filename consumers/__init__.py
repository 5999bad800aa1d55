"""What acts on the log: sender, projector, archiver, and the hosts that run them."""
