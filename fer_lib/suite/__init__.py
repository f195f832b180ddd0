"""Running, building and checking the chapters."""
