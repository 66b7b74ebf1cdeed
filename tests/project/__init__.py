"""What holds for the project as a whole: its imports, its texts, its packaging."""
