"""What goes right and wrong with attention: in one map, and over a training."""
