"""Declare what a good model is; Mainspring keeps one in production."""
