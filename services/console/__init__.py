"""The console: what a duty officer, the brigade and the departments see, and the clicks that become commands."""
