"""Pure decisions of the console: who sees what, how a figure is shown, when the page must not be believed."""
