"""What drives the filters of a network, shown in the pixels of a face."""
