"""Pictures of faces with their labels."""
