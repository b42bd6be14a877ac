"""What is measured: each module is one scenario.

`TITLE` and `FLOOR` (and `PEER`) say what is compared, `REPEAT` how often `measure` is called, and
`SAMPLES` how often one call measures by itself.
"""
