"""The features on pytest's side: one class each, registered only where it is on."""
