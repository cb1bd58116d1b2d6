"""Machine code of our own for this processor, made by LLVM when it is first needed (docs/decisions/0005).

llvm       the door to LLVM: text in, an address out, kept in a folder
writer     writes functions: numbers, vectors, loops
team       runs a function on all threads
winograd   convolutions of 3 x 3 and 5 x 5 with a quarter of the multiplications
grouped    direct convolutions in groups of any size
depthwise  convolutions whose channels have a filter each, bound by memory
batch_norm normalisation by a batch's statistics, with what follows it
"""
