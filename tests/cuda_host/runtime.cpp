// TEST EQUIPMENT. Runs one launch: blocks one after another in shuffled order; the threads of a block as a plain
// loop, or as fibers (ucontext) where they meet at barriers or in warps. Keeps the order of accesses; the first
// violation ends the launch with a message.
#include "runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <vector>

Dim3 threadIdx, blockIdx, blockDim, gridDim;
uint32_t brew_stamp, brew_launch_begin;

namespace {

enum State { READY, AT_BARRIER, IN_WARP, DONE };

struct Fiber {
  ucontext_t context;  // entered once; afterwards `jump` is faster, for it calls no kernel
  jmp_buf jump;
  bool entered;
  State state;
  int line;
  WarpOperation operation;
  uint32_t mask, round;
  uint64_t value;
  int source;
};

// A round is a stretch between barriers, of the block or of one warp. Stamp = block_begin + 1 + round * threads + t.
struct Round {
  uint32_t epoch;  // how many barriers of the block lie before it
  uint32_t mask;   // lanes that met to open it; all for a block's barrier
};

struct SharedArray {
  const void* site;
  Array array;
  std::vector<char> bytes;
  std::vector<Shadow> shadow;
};

struct BlockBegin {
  uint32_t stamp, block;
};

constexpr size_t STACK = 64 << 10, MOST_THREADS = 1024, SHARED_LIMIT = 48 << 10;

std::vector<Fiber> fibers;
char* stacks;
bool fibers_stale = true;
int current = -1;  // the running fiber, or -1 in a plain loop
jmp_buf scheduler, launch_failed;
void (*thread_body)(const Argument*);
const Argument* arguments;

uint32_t threads, block_begin;
std::vector<Round> rounds;
std::vector<BlockBegin> blocks_begun;
std::vector<SharedArray*> shared_arrays;  // of the running block
size_t shared_bytes;
char message[1024];
uint64_t random_state;

uint64_t draw(uint64_t below) {  // splitmix64
  uint64_t z = random_state += 0x9E3779B97F4A7C15ull;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return (z ^ z >> 31) % below;
}

template <typename T> void shuffle(std::vector<T>& items) {
  for (size_t i = items.size(); i > 1; --i) {
    T& other = items[draw(i)];
    T kept = items[i - 1];
    items[i - 1] = other;
    other = kept;
  }
}

[[noreturn]] void fail(const char* format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(message, sizeof message, format, list);
  va_end(list);
  longjmp(launch_failed, 1);
}

uint32_t block_of(uint32_t stamp) {
  size_t i = blocks_begun.size() - 1;
  while (blocks_begun[i].stamp >= stamp) --i;
  return blocks_begun[i].block;
}

uint32_t thread_of(uint32_t stamp) {
  size_t i = blocks_begun.size() - 1;
  while (blocks_begun[i].stamp >= stamp) --i;
  return (stamp - blocks_begun[i].stamp - 1) % threads;
}

// Whether the access stamped `old` is known to come before the running thread's.
bool ordered(uint32_t old) {
  if (old == brew_stamp || old <= brew_launch_begin) return true;
  if (old <= block_begin) return false;  // another block of this launch
  uint32_t before = old - block_begin - 1, now = brew_stamp - block_begin - 1;
  uint32_t t = before % threads, me = now % threads;
  if (t == me) return true;
  const Round &a = rounds[before / threads], &b = rounds[now / threads];
  if (a.epoch != b.epoch) return true;
  return before / threads < now / threads && t / 32 == me / 32 && b.mask >> t % 32 & 1;
}

[[noreturn]] void race(const Array* a, long long index, const char* mine, const char* theirs, uint32_t old) {
  fail("data race on %s[%lld]: %s by thread %u of block %u, %s by thread %u of block %u, with no barrier between",
       a->name, index, theirs, thread_of(old), block_of(old), mine, thread_of(brew_stamp), block_of(brew_stamp));
}

// Put the running thread in front of `latest`: [0] the latest, [1] the latest by another thread of its block,
// [2] the latest in another block.
void remember(uint32_t* latest) {
  uint32_t old = latest[0];
  if (old > brew_launch_begin) {
    if (old <= block_begin) {
      latest[2] = old;
      latest[1] = 0;
    } else if ((old - block_begin - 1) % threads != (brew_stamp - block_begin - 1) % threads) {
      latest[1] = old;
    }
  }
  latest[0] = brew_stamp;
}

const char* const DID[] = {"read", "written", "updated atomically"};

void check_against(Array* a, long long i, Access access, const uint32_t* latest, Access theirs) {
  for (int k = 0; k < 3; ++k)
    if (!ordered(latest[k])) race(a, i, DID[access], DID[theirs], latest[k]);
}

void new_round(uint32_t epoch, uint32_t mask) {
  rounds.push_back({epoch, mask});
  if ((uint64_t)block_begin + (uint64_t)(rounds.size() + 1) * threads > 0xFFFFFFF0ull) fail("out of stamps");
}

void run_thread(int t) {
  threadIdx = {(unsigned)t % blockDim.x, (unsigned)t / blockDim.x % blockDim.y,
               (unsigned)t / (blockDim.x * blockDim.y)};
}

void fiber_main() {
  for (;;) {
    thread_body(arguments);
    fibers[current].state = DONE;
    if (!_setjmp(fibers[current].jump)) _longjmp(scheduler, 1);
  }
}

__attribute__((noinline)) void wait_in(State state, int line) {
  Fiber& self = fibers[current];
  self.state = state;
  self.line = line;
  if (!_setjmp(self.jump)) _longjmp(scheduler, 1);
}

__attribute__((noinline)) void resume(int t) {
  Fiber& f = fibers[t];
  current = t;
  run_thread(t);
  brew_stamp = block_begin + 1 + f.round * threads + t;
  if (!_setjmp(scheduler)) {
    if (f.entered) _longjmp(f.jump, 1);
    f.entered = true;
    setcontext(&f.context);
  }
  current = -1;
}

void make_fibers() {
  if (!stacks) {
    void* p = mmap(nullptr, STACK * MOST_THREADS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fail("no memory for the fibers");
    stacks = (char*)p;
  }
  if (!fibers_stale && fibers.size() >= threads) return;
  fibers.assign(threads, Fiber());
  for (uint32_t t = 0; t < threads; ++t) {
    getcontext(&fibers[t].context);
    fibers[t].context.uc_stack.ss_sp = stacks + t * STACK;
    fibers[t].context.uc_stack.ss_size = STACK;
    makecontext(&fibers[t].context, fiber_main, 0);
  }
  fibers_stale = false;
}

const char* wait_name(const Fiber& f) {
  return f.state == AT_BARRIER ? "__syncthreads" : f.operation == WARP_BARRIER ? "__syncwarp" : "a warp exchange";
}

// Complete the warp operation that lane `first` of the warp at `base` waits in, if all its lanes are there.
bool complete_warp(uint32_t base, uint32_t first) {
  Fiber& leader = fibers[base + first];
  uint32_t here = 0, width = threads - base < 32 ? threads - base : 32;
  for (uint32_t l = 0; l < width; ++l) {
    const Fiber& f = fibers[base + l];
    bool joins = f.state == IN_WARP && f.line == leader.line && f.mask == leader.mask;
    if (joins) here |= 1u << l;
    else if (leader.mask >> l & 1 && f.state != DONE) return false;
  }
  uint64_t results[32], ballot = 0;
  for (uint32_t l = 0; l < width; ++l)
    if (here >> l & 1 && fibers[base + l].value) ballot |= 1ull << l;
  for (uint32_t l = 0; l < width; ++l) {
    if (!(here >> l & 1)) continue;
    Fiber& f = fibers[base + l];
    if (f.operation == SHUFFLE && (f.source < 0 || f.source > 31 || !(here >> f.source & 1)))
      fail("line %d: thread %u of block %u shuffles from lane %d, which does not take part (mask 0x%08x)", f.line,
           base + l, block_of(block_begin + 1), f.source, f.mask);
    results[l] = f.operation == SHUFFLE ? fibers[base + f.source].value : ballot;
  }
  if (leader.operation == WARP_BARRIER) new_round(rounds[leader.round].epoch, here);
  for (uint32_t l = 0; l < width; ++l) {
    if (!(here >> l & 1)) continue;
    Fiber& f = fibers[base + l];
    if (f.operation == WARP_BARRIER) f.round = (uint32_t)rounds.size() - 1;
    f.value = results[l];
    f.state = READY;
  }
  return true;
}

bool complete_warps() {
  bool any = false;
  for (uint32_t base = 0; base < threads; base += 32)
    for (uint32_t l = 0; l < 32 && base + l < threads; ++l)
      if (fibers[base + l].state == IN_WARP) any |= complete_warp(base, l);
  return any;
}

// Nobody can run: open the barrier if all are at the same one, else the kernel would hang on a device.
void open_barrier() {
  uint32_t first = threads, other = threads;
  for (uint32_t t = 0; t < threads; ++t)
    if (fibers[t].state != DONE && first == threads) first = t;
  for (uint32_t t = 0; t < threads; ++t) {
    const Fiber &f = fibers[t], &g = fibers[first];
    if (f.state != g.state || f.line != g.line) other = t;
  }
  const Fiber& f = fibers[first];
  if (other < threads) {
    const Fiber& g = fibers[other];
    if (g.state == DONE)
      fail("divergent %s at line %d: thread %u of block %u waits there, thread %u has returned", wait_name(f), f.line,
           first, block_of(block_begin + 1), other);
    fail("divergent threads in block %u: thread %u waits in %s at line %d, thread %u in %s at line %d",
         block_of(block_begin + 1), first, wait_name(f), f.line, other, wait_name(g), g.line);
  }
  if (f.state == IN_WARP)
    fail("thread %u of block %u waits in %s at line %d for lanes of mask 0x%08x that name another mask", first,
         block_of(block_begin + 1), wait_name(f), f.line, f.mask);
  new_round(rounds[f.round].epoch + 1, 0xffffffffu);
  for (uint32_t t = 0; t < threads; ++t) {
    fibers[t].round = (uint32_t)rounds.size() - 1;
    fibers[t].state = READY;
  }
}

void run_fibers() {
  for (uint32_t t = 0; t < threads; ++t) fibers[t].state = READY, fibers[t].round = 0;
  std::vector<int> ready;
  for (;;) {
    ready.clear();
    bool all_done = true;
    for (uint32_t t = 0; t < threads; ++t) {
      if (fibers[t].state == READY) ready.push_back((int)t);
      if (fibers[t].state != DONE) all_done = false;
    }
    if (all_done) return;
    shuffle(ready);
    for (int t : ready) resume(t);
    if (!ready.empty()) {
      complete_warps();
      continue;
    }
    if (!complete_warps()) open_barrier();
  }
}

void run_plain() {
  bool upwards = draw(2);
  for (uint32_t k = 0; k < threads; ++k) {
    uint32_t t = upwards ? k : threads - 1 - k;
    run_thread((int)t);
    brew_stamp = block_begin + 1 + t;
    thread_body(arguments);
  }
}

void drop_shared() {
  for (SharedArray* s : shared_arrays) delete s;
  shared_arrays.clear();
  shared_bytes = 0;
}

void run_block(uint32_t block, bool with_fibers) {
  blockIdx = {block % gridDim.x, block / gridDim.x % gridDim.y, block / (gridDim.x * gridDim.y)};
  blocks_begun.push_back({block_begin, block});
  rounds.clear();
  new_round(0, 0xffffffffu);
  if (with_fibers)
    run_fibers();
  else
    run_plain();
  block_begin += (uint32_t)rounds.size() * threads;
  drop_shared();
}

}  // namespace

void brew_fail(const char* what) {
  fail("%s, by thread %u of block %u", what, thread_of(brew_stamp), block_of(brew_stamp));
}

void brew_out_of_bounds(const Array* array, long long index, long long limit, bool store) {
  fail("%s[%lld] is %s by thread %u of block %u; it has %lld elements", array->name, index,
       store ? "written" : "read", thread_of(brew_stamp), block_of(brew_stamp), limit);
}

void brew_access(Array* a, long long i, Access access) {
  Shadow& s = a->shadow[i];
  if (!ordered(s.written)) race(a, i, DID[access], DID[WRITE], s.written);
  if (access == READ && a->kind == SHARED && !s.written && !s.atomic[0])
    fail("shared %s[%lld] is read by thread %u of block %u before anything was written to it", a->name, i,
         thread_of(brew_stamp), block_of(brew_stamp));
  if (access != READ) check_against(a, i, access, s.read, READ);
  if (access != ATOMIC) check_against(a, i, access, s.atomic, ATOMIC);
  if (access == WRITE)
    s.written = brew_stamp;
  else
    remember(access == READ ? s.read : s.atomic);
}

void brew_barrier(int line) {
  if (current < 0) fail("a barrier in a kernel that was taken for one without");
  wait_in(AT_BARRIER, line);
}

uint64_t brew_warp(WarpOperation operation, int line, uint32_t mask, uint64_t value, int source) {
  if (current < 0) fail("a warp exchange in a kernel that was taken for one without");
  Fiber& self = fibers[current];
  if (!(mask >> current % 32 & 1))
    fail("line %d: thread %d of block %u is not in its own mask 0x%08x", line, current, block_of(brew_stamp), mask);
  self.operation = operation;
  self.mask = mask;
  self.value = value;
  self.source = source;
  wait_in(IN_WARP, line);
  return self.value;
}

Array* brew_shared(const void* site, const char* name, long long count, int item_size) {
  for (SharedArray* s : shared_arrays)
    if (s->site == site) return &s->array;
  size_t bytes = (size_t)count * item_size;
  shared_bytes += bytes;
  if (shared_bytes > SHARED_LIMIT) fail("%zu bytes of shared memory; a block has %zu", shared_bytes, SHARED_LIMIT);
  auto* s = new SharedArray{site, {}, std::vector<char>(bytes, (char)0xFF), std::vector<Shadow>(count)};
  s->array = {s->bytes.data(), count, s->shadow.data(), name, SHARED};
  shared_arrays.push_back(s);
  return &s->array;
}

// Runs a launch. Returns null, or the message of the first violation; `stamp` is carried from launch to launch.
extern "C" __attribute__((visibility("default"))) const char* brew_launch(void (*body)(const Argument*),
                                                                          const Argument* args, const uint32_t* grid,
                                                                          const uint32_t* block, int with_fibers,
                                                                          uint64_t seed, uint32_t* stamp) {
  thread_body = body;
  arguments = args;
  gridDim = {grid[0], grid[1], grid[2]};
  blockDim = {block[0], block[1], block[2]};
  threads = block[0] * block[1] * block[2];
  random_state = seed;
  brew_launch_begin = block_begin = *stamp;
  blocks_begun.clear();
  static std::vector<uint32_t> order;
  order.resize((size_t)grid[0] * grid[1] * grid[2]);
  for (size_t i = 0; i < order.size(); ++i) order[i] = (uint32_t)i;
  if (setjmp(launch_failed)) {
    fibers_stale = true;
    current = -1;
    drop_shared();
    *stamp = block_begin + (uint32_t)rounds.size() * threads;
    return message;
  }
  shuffle(order);
  if (with_fibers) make_fibers();
  for (uint32_t b : order) run_block(b, with_fibers != 0);
  *stamp = block_begin;
  return nullptr;
}
