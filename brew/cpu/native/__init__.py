"""Machine code of our own, written in the language of `cpu/llvm`: convolutions, BatchNorm, sums.

A module `x.py` makes calls for shapes and binds them to arrays; `x_code.py`, where there is one, writes its functions.
The words of this room:

vector   what the processor computes with at once: 8 or 16 float32 (`blocked.width()`); a lane is one of its numbers
block    as many channels as a vector has lanes. A blob in blocks of channels is (images, blocks, height, width, lanes):
         a vector holds one pixel of a block. The last block of a blob, or of a group, may have lanes of zeros
plane    one block of one image, and its bytes; where the blob is plain (planes.py), one channel of one image
group    what Caffe calls so: channels of the bottom that the same filters see
source   the bottom of a convolution, and the target its top; a gradient that is a convolution itself, with the filters
         turned round, has them the other way round
tap      one place of a filter: a 3 x 3 filter has nine
tile     a square of pixels, of which Winograd's algorithm makes a smaller square of the target (tiles.py). Its elements
         are those pixels transformed (transforms.py has the matrices); each is multiplied with those of its own place
bank     all filters of a layer, transformed (filter_bank.py)
panel    the filters of a few blocks of the target side by side, its columns, as the inner loop reads them: these blocks
         are computed together. A cluster is panels in a row that read blocks of the source in common
band     what is computed together in one turn of a loop: rows of a blob in direct convolutions, tiles in products
chunk    a stretch of the pixels of a plane (batch_norm.py)
unit     what one thread computes before it takes the next
partial  what a unit has summed by itself, before all are added up in one order; such units are cut by shape alone, so
         that results are the same for any number of threads
table    the numbers and addresses that a function reads, by named slots (cpu.llvm.slots)
driver   a function that goes through a whole convolution and calls the others (products.py)
scratch  memory for the time of a call: all threads' tiles, or copies of rows with zeros around them
streams  a target so large that it is written past the caches
"""
