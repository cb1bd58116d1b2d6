"""Data sets made of piles of files: what a pile holds, how it is divided, what is written of it.

A *source* is the pile: a folder, an archive, a list, a file of annotations or arrays. An *item* of it becomes one
record; its *content* is read when it is written. A *part* (train, val, test) becomes one database.
"""
