"""The real parts FireNet stands on, started from pip packages alone: no root, no Docker, no system Java.

Every part has the same shape (`part.Part`); `stack.Stack` starts several of them and the services,
watches them, and leaves nothing running.
"""
