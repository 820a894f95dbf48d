"""scikit-learn estimators whose predictions are distributions."""
