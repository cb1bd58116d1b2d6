// TEST EQUIPMENT. Runs one launch: blocks one after another in shuffled order; the threads of a block as a plain
// loop, or as fibers where they meet at barriers or in warps. The first violation ends the launch with a message.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "launch.h"

Dim3 threadIdx, blockIdx, blockDim, gridDim;
uint32_t brew_stamp, brew_launch_begin;
Launch launch;

namespace {

jmp_buf launch_failed;
char message[1024];
uint64_t random_state;

void run_plain() {
  bool upwards = draw(2);
  for (uint32_t k = 0; k < launch.threads; ++k) {
    uint32_t t = upwards ? k : launch.threads - 1 - k;
    place_thread((int)t);
    brew_stamp = launch.block_begin + 1 + t;
    launch.body(launch.arguments);
  }
}

void run_block(uint32_t block, bool with_fibers) {
  blockIdx = {block % gridDim.x, block / gridDim.x % gridDim.y, block / (gridDim.x * gridDim.y)};
  launch.blocks_begun.push_back({launch.block_begin, block});
  launch.rounds.clear();
  new_round(0, 0xffffffffu);
  if (with_fibers)
    run_fibers();
  else
    run_plain();
  launch.block_begin += (uint32_t)launch.rounds.size() * launch.threads;
  drop_shared();
}

}  // namespace

uint64_t draw(uint64_t below) {  // splitmix64
  uint64_t z = random_state += 0x9E3779B97F4A7C15ull;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return (z ^ z >> 31) % below;
}

void fail(const char* format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(message, sizeof message, format, list);
  va_end(list);
  longjmp(launch_failed, 1);
}

void new_round(uint32_t epoch, uint32_t mask) {
  launch.rounds.push_back({epoch, mask});
  uint64_t end = launch.block_begin + (uint64_t)(launch.rounds.size() + 1) * launch.threads;
  if (end > 0xFFFFFFF0ull) fail("a launch of more threads and barriers than can be told apart");
}

void place_thread(int t) {
  threadIdx = {(unsigned)t % blockDim.x, (unsigned)t / blockDim.x % blockDim.y,
               (unsigned)t / (blockDim.x * blockDim.y)};
}

// Runs a launch. Returns null, or the message of the first violation; `stamp` is carried from launch to launch.
extern "C" __attribute__((visibility("default")))
const char* brew_launch(void (*body)(const Argument*), const Argument* args, const uint32_t* grid,
                        const uint32_t* block, int with_fibers, uint64_t seed, uint32_t* stamp) {
  launch.body = body;
  launch.arguments = args;
  gridDim = {grid[0], grid[1], grid[2]};
  blockDim = {block[0], block[1], block[2]};
  launch.threads = block[0] * block[1] * block[2];
  random_state = seed;
  brew_launch_begin = launch.block_begin = *stamp;
  launch.blocks_begun.clear();
  static std::vector<uint32_t> order;
  order.resize((size_t)grid[0] * grid[1] * grid[2]);
  for (size_t i = 0; i < order.size(); ++i) order[i] = (uint32_t)i;
  if (setjmp(launch_failed)) {
    drop_fibers();
    drop_shared();
    *stamp = launch.block_begin + (uint32_t)launch.rounds.size() * launch.threads;
    return message;
  }
  shuffle(order);
  if (with_fibers) make_fibers();
  for (uint32_t b : order) run_block(b, with_fibers != 0);
  *stamp = launch.block_begin;
  return nullptr;
}
