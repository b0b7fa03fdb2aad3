"""Raw frames: the sky, the optics, the detector, and the files, with the truth of all of it."""
