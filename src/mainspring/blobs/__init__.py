"""Bytes by digest, kept in a folder.

A line belongs here if it is about keeping bytes whole: atomic writes, verification, sweeping. Which bytes
mean what is said by the rows that name them; they are written after the bytes.
"""
