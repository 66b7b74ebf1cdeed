"""What is known about causes."""
