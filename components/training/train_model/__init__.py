"""Train the project's model and save it as a bundle."""
