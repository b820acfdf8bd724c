"""`mainspring import recipe`: an MLflow Recipes project as a pipeline of ours.

`read.py` makes a value of `recipe.yaml` and a profile, `flow.py` and `declaration.py` make text of it. The user's functions in
`steps/` stay as they are and are called.
"""
