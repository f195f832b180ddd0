"""Face sets: pictures of faces with their labels, folds and readers."""
