"""Pure forward models, one subject a file; the simulator and the fits call the same ones."""
