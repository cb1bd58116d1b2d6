"""Mutated inputs for everything Brew reads, by number: the same seed, kind and number give the same bytes for ever.

    corpus    the whole files that mutants are made of, by kind
    mutate    the mutator
    oracle    what must hold for one input read in this process
    batches   LMDBs, HDF5 files and images, read by the child of `brew data check`

From the repository's root, to run more of them, or one again (tests/fuzz/__main__.py):

    PYTHONPATH=.:tests python -m fuzz --count 100000
    PYTHONPATH=.:tests python -m fuzz --kind net --first 4711 --count 1 --keep mutants
"""

SEED = 1701
