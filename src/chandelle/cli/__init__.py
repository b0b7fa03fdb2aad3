"""The shell: each command is one documented function, in a file of its own."""
