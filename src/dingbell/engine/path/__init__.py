"""The path of a notice: each stage takes rows in one state and leaves them in the next."""
