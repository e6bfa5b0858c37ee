"""Styles of the hand: what a finished picture looks like as a watercolour, in oil, in ink, as a print or in pixels."""
