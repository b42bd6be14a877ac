from hypothesis import settings

# Nothing is kept on disk, no test depends on the speed of the machine, red runs can be repeated.
settings.register_profile("house", deadline=None, database=None, derandomize=True)
settings.load_profile("house")
