"""The command line of infer.py, in small pieces; what it does is done elsewhere."""
