"""One file per official layout."""
