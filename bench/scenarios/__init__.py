"""What is measured: each module is one scenario.

`TITLE` and `FLOOR` (and `PEERS`, by name) say what is compared, `REPEAT` (with the large sizes
`REPEAT_FULL`) how often `measure` is called, and `SAMPLES` how often one call measures by itself.
"""
