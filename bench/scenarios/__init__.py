"""What is measured: each module is one scenario.

`TITLE` and `FLOOR` (and `PEERS`, by name) say what is compared, `REPEAT` how often `measure` is
called, and `SAMPLES` how often one call measures by itself.
"""
