"""Numbers, figures and tables for the page."""
