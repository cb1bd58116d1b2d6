// TEST EQUIPMENT. The threads of a block as fibers: each runs until it must wait for others, in shuffled order.
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "launch.h"

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

constexpr size_t STACK = 64 << 10, MOST_THREADS = 1024;

std::vector<Fiber> fibers;
char* stacks;
bool stale = true;
int current = -1;  // the running fiber, or -1 in a plain loop
jmp_buf scheduler;

void fiber_main() {
  for (;;) {
    launch.body(launch.arguments);
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
  place_thread(t);
  brew_stamp = launch.block_begin + 1 + f.round * launch.threads + t;
  if (!_setjmp(scheduler)) {
    if (f.entered) _longjmp(f.jump, 1);
    f.entered = true;
    setcontext(&f.context);
  }
  current = -1;
}

const char* wait_name(const Fiber& f) {
  return f.state == AT_BARRIER ? "__syncthreads" : f.operation == WARP_BARRIER ? "__syncwarp" : "a warp exchange";
}

// Complete the warp operation that lane `first` of the warp at `base` waits in, if all its lanes are there.
bool complete_warp(uint32_t base, uint32_t first) {
  Fiber& leader = fibers[base + first];
  uint32_t here = 0, width = launch.threads - base < 32 ? launch.threads - base : 32;
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
           base + l, block_of(launch.block_begin + 1), f.source, f.mask);
    results[l] = f.operation == SHUFFLE ? fibers[base + f.source].value : ballot;
  }
  if (leader.operation == WARP_BARRIER) new_round(launch.rounds[leader.round].epoch, here);
  for (uint32_t l = 0; l < width; ++l) {
    if (!(here >> l & 1)) continue;
    Fiber& f = fibers[base + l];
    if (f.operation == WARP_BARRIER) f.round = (uint32_t)launch.rounds.size() - 1;
    f.value = results[l];
    f.state = READY;
  }
  return true;
}

bool complete_warps() {
  bool any = false;
  for (uint32_t base = 0; base < launch.threads; base += 32)
    for (uint32_t l = 0; l < 32 && base + l < launch.threads; ++l)
      if (fibers[base + l].state == IN_WARP) any |= complete_warp(base, l);
  return any;
}

// Nobody can run: open the barrier if all are at the same one, else the kernel would hang on a device.
void open_barrier() {
  uint32_t first = launch.threads, other = launch.threads;
  for (uint32_t t = 0; t < launch.threads; ++t)
    if (fibers[t].state != DONE && first == launch.threads) first = t;
  for (uint32_t t = 0; t < launch.threads; ++t) {
    const Fiber &f = fibers[t], &g = fibers[first];
    if (f.state != g.state || f.line != g.line) other = t;
  }
  const Fiber& f = fibers[first];
  if (other < launch.threads) {
    const Fiber& g = fibers[other];
    if (g.state == DONE)
      fail("divergent %s at line %d: thread %u of block %u waits there, thread %u has returned", wait_name(f), f.line,
           first, block_of(launch.block_begin + 1), other);
    fail("divergent threads in block %u: thread %u waits in %s at line %d, thread %u in %s at line %d",
         block_of(launch.block_begin + 1), first, wait_name(f), f.line, other, wait_name(g), g.line);
  }
  if (f.state == IN_WARP)
    fail("thread %u of block %u waits in %s at line %d for lanes of mask 0x%08x that name another mask", first,
         block_of(launch.block_begin + 1), wait_name(f), f.line, f.mask);
  new_round(launch.rounds[f.round].epoch + 1, 0xffffffffu);
  for (uint32_t t = 0; t < launch.threads; ++t) {
    fibers[t].round = (uint32_t)launch.rounds.size() - 1;
    fibers[t].state = READY;
  }
}

}  // namespace

void make_fibers() {
  if (!stacks) {
    void* p = mmap(nullptr, STACK * MOST_THREADS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fail("no memory for the fibers");
    stacks = (char*)p;
  }
  if (!stale && fibers.size() >= launch.threads) return;
  fibers.assign(launch.threads, Fiber());
  for (uint32_t t = 0; t < launch.threads; ++t) {
    getcontext(&fibers[t].context);
    fibers[t].context.uc_stack.ss_sp = stacks + t * STACK;
    fibers[t].context.uc_stack.ss_size = STACK;
    makecontext(&fibers[t].context, fiber_main, 0);
  }
  stale = false;
}

void run_fibers() {
  for (uint32_t t = 0; t < launch.threads; ++t) fibers[t].state = READY, fibers[t].round = 0;
  std::vector<int> ready;
  for (;;) {
    ready.clear();
    bool all_done = true;
    for (uint32_t t = 0; t < launch.threads; ++t) {
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

void drop_fibers() {
  stale = true;
  current = -1;
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
