// TEST EQUIPMENT. Which accesses are ordered, which are races; shared memory.
#include "launch.h"

namespace {

constexpr size_t SHARED_LIMIT = 48 << 10;

struct SharedArray {
  const void* site;
  Array array;
  std::vector<char> bytes;
  std::vector<Shadow> shadow;
};

std::vector<SharedArray*> shared_arrays;  // of the running block
size_t shared_bytes;

// Whether the access stamped `old` is known to come before the running thread's.
bool ordered(uint32_t old) {
  if (old == brew_stamp || old <= brew_launch_begin) return true;
  if (old <= launch.block_begin) return false;  // another block of this launch
  uint32_t before = old - launch.block_begin - 1, now = brew_stamp - launch.block_begin - 1;
  uint32_t t = before % launch.threads, me = now % launch.threads;
  if (t == me) return true;
  const Round &a = launch.rounds[before / launch.threads], &b = launch.rounds[now / launch.threads];
  if (a.epoch != b.epoch) return true;
  return before / launch.threads < now / launch.threads && t / 32 == me / 32 && b.mask >> t % 32 & 1;
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
    if (old <= launch.block_begin) {
      latest[2] = old;
      latest[1] = 0;
    } else if ((old - launch.block_begin - 1) % launch.threads != (brew_stamp - launch.block_begin - 1) % launch.threads) {
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

}  // namespace

uint32_t block_of(uint32_t stamp) {
  size_t i = launch.blocks_begun.size() - 1;
  while (launch.blocks_begun[i].stamp >= stamp) --i;
  return launch.blocks_begun[i].block;
}

uint32_t thread_of(uint32_t stamp) {
  size_t i = launch.blocks_begun.size() - 1;
  while (launch.blocks_begun[i].stamp >= stamp) --i;
  return (stamp - launch.blocks_begun[i].stamp - 1) % launch.threads;
}

void drop_shared() {
  for (SharedArray* s : shared_arrays) delete s;
  shared_arrays.clear();
  shared_bytes = 0;
}

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
