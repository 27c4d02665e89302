"""Train: the scikit-learn pipeline from the project file, its fit, its model card."""
