// TEST EQUIPMENT. What a compiled kernel (device.h) and its scheduler (runtime.cpp) share.
#pragma once
#include <stdint.h>

// Who last touched one element. A stamp names a thread between two of its barriers; stamps grow from launch to
// launch, so that those of earlier launches need no clearing. Of readers and of atomic accesses the latest, the
// latest by another thread and the latest in another block are enough to find a conflict with any of them.
struct Shadow {
  uint32_t written;
  uint32_t read[3];
  uint32_t atomic[3];
  uint32_t unused;
};

enum Kind { GLOBAL, SHARED, LOCAL };

// One array as a kernel sees it. `shadow` is null for a thread's own (LOCAL) arrays.
struct Array {
  char* base;
  long long count;
  Shadow* shadow;
  const char* name;
  int kind;
};

// One kernel argument: an array, or the bytes of a number.
struct Argument {
  Array array;
  unsigned char value[8];
};

struct Dim3 {
  unsigned int x, y, z;
};

enum Access { READ, WRITE, ATOMIC };
enum WarpOperation { SHUFFLE, BALLOT, WARP_BARRIER };

extern Dim3 threadIdx, blockIdx, blockDim, gridDim;

extern uint32_t brew_stamp;         // of the running thread
extern uint32_t brew_launch_begin;  // stamps up to this one are of earlier launches

// Slow path of a check: returns if the access is ordered after all it conflicts with, else ends the launch.
void brew_access(Array* array, long long index, Access access);
[[noreturn]] void brew_out_of_bounds(const Array* array, long long index, long long limit, bool store);
[[noreturn]] void brew_fail(const char* what);

void brew_barrier(int line);
// Meets the warp's lanes named in `mask`; returns the value of lane `source`, or the ballot.
uint64_t brew_warp(WarpOperation operation, int line, uint32_t mask, uint64_t value, int source);
Array* brew_shared(const void* site, const char* name, long long count, int item_size);
