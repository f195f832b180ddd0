"""What activates the filters of a network, shown in the pixels of a face."""
