"""The nets of the zoo as Python scripts, one for each family; write.py makes the files of them."""
