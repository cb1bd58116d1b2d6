"""Random nets by number, run in every way that Brew can run them and compared with one reference: the plain spelling,
in which every version of a blob has a name of its own, under NumPy in float64. The same seed and number give the same
net, the same values and the same ways for ever.

    grammar    a net by seed and number; `pairs` walks through all pairs of neighbouring types
    rows*      a legal layer of every type with random parameters, by `builder`
    case       the net before it is spelled; `spelling` writes it in place, or plain
    run        one way of running it; `training` by a solver, `twins` on two threads
    ways       the ways, and the check of a net in some of them; `compare` says what agrees
    poison     memory that was never written is NaN
    shrink     the smallest net that fails alike
    coverage   how often everything comes
    planted    faults that must be found

From the repository's root, to run more of them, or one again (tests/differential/__main__.py):

    PYTHONPATH=.:tests python -m differential --seed 7 --count 10000 --jobs 2
    PYTHONPATH=.:tests python -m differential --seed 7 --first 4711 --count 1 --keep failing
"""

SEED = 1701
