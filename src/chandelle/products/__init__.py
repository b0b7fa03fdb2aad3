"""What travels between stages: typed tables with versioned schemas, in files anyone can read."""
