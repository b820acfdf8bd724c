"""Models of other libraries than scikit-learn, loaded from MLflow's folders without MLflow.

A module for each library, which is imported there and nowhere else. Each has `load(folder, settings)`: from
a flavor's settings in `MLmodel` to a function of a table.
"""
