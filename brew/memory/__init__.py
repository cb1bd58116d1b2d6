"""Where every value of a net lies: blobs, the arena they share in turns, what is computed twice.

Sizes, offsets and needs are in elements of one type; what is in bytes says so. The words of this room:

blob        a named array and its gradient; each lies in a memory (blob.py)
memory      the elements of one blob's values, or of its gradient; views of a blob (Split, Reshape) are its tenants too
host view   the NumPy array that `blob.data` gives the caller. On the CPU it is the memory itself; where layers work
            elsewhere, on CUDA or in an engine's layout, the memory is mirrored: the host view is a copy (host_views.py)
exposed     a host view was given out: it stays valid, and what the caller writes to it counts in the next pass
resting     exposed, but nobody holds a view: it is brought up to date when it is asked for again (given.py)
permanent   the memory has elements of its own for good, because it was exposed or is fixed
fixed       permanent from the start and never to grow: a part of the array that holds all parameters of a net
            (`net.parameters.arena`, which nothing uses in turns)
arena       what all other memories use in turns: for each type one stretch, which is one array (arena.py)
piece       a part of a stretch, at its offset; in use in spans of moments (uses.py). Moments count what runs in a pass:
            each step forward, again where its values are recomputed, and backward (pass_schedule.py)
turn        a step, or a fused group in its place, with the spans of moments in which it runs (uses.py)
lease       the right of a memory, or of a step, to use a piece. A memory that outgrows its piece leaves the lease; the
            arena is stale then, and the next pass begins with another
intact      no other piece has been written over the values of this one
scratch     what a step needs within one call (scratch.py); saved: what its forward leaves for its backward
stamp       a number that is new with every change of shape or memory; steps compare it (stamps.py)
plan        which memories get leases, on which pieces, at which offsets (plan.py, packing.py, joined.py, recompute.py)
"""
