// TEST EQUIPMENT. The running launch, as the runtime's parts share it.
#pragma once
#include <stddef.h>

#include <vector>

#include "runtime.h"

// A round is a stretch between barriers, of the block or of one warp. Stamp = block_begin + 1 + round * threads + t.
struct Round {
  uint32_t epoch;  // how many barriers of the block lie before it
  uint32_t mask;   // lanes that met to open it; all for a block's barrier
};

struct BlockBegin {
  uint32_t stamp, block;
};

struct Launch {
  void (*body)(const Argument*);
  const Argument* arguments;
  uint32_t threads;      // per block
  uint32_t block_begin;  // stamps up to this one are of other blocks
  std::vector<Round> rounds;
  std::vector<BlockBegin> blocks_begun;
};

extern Launch launch;

[[noreturn]] void fail(const char* format, ...);  // ends the launch
uint64_t draw(uint64_t below);
void new_round(uint32_t epoch, uint32_t mask);
void place_thread(int t);  // sets threadIdx

uint32_t block_of(uint32_t stamp);
uint32_t thread_of(uint32_t stamp);
void drop_shared();

void make_fibers();
void run_fibers();
void drop_fibers();  // those of a launch that failed stand in the middle of something

template <typename T> void shuffle(std::vector<T>& items) {
  for (size_t i = items.size(); i > 1; --i) {
    T& other = items[draw(i)];
    T kept = items[i - 1];
    items[i - 1] = other;
    other = kept;
  }
}
