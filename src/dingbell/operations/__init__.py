"""What a person may ask of DingBell: create, preview, pause, run, send, cancel, recall, report.

Used by the API, the console and the CLI alike. Operations write rows and enqueue jobs; they never
call the engine.
"""
