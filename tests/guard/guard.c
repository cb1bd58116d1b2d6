// TEST EQUIPMENT. An allocator that is preloaded: blocks of GUARD_LEAST bytes (2,048) or more end at a page that nobody
// may touch, and nobody may touch what was freed. With GUARD_FILL set, fresh memory holds NaN. glibc alone.
//
// Blocks lie in a range of addresses of their own, each behind the one before, and none is used twice:
//
//     ... | mark ... mark, block, mark ... | untouchable page | next block
//
// What alignment leaves free on both sides is marked, and looked at when the block is freed.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define MARK 0xA5
#define NANS 0xFF  // every byte: NaN in float32 and float64

extern void* __libc_malloc(size_t size);
extern void* __libc_calloc(size_t number, size_t size);
extern void* __libc_realloc(void* block, size_t size);
extern void* __libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void* block);

static char *range, *range_end;
static size_t* sizes;  // of the block that lies on this page of the range; 0 where none does
static size_t used;    // bytes of the range
static size_t least = 2048;
static int fills;

__attribute__((constructor)) static void begin(void) {
  const char* given = getenv("GUARD_LEAST");
  if (given) least = strtoul(given, NULL, 10);
  fills = getenv("GUARD_FILL") != NULL;
  for (size_t size = (size_t)1 << 42; size >= (size_t)1 << 32; size >>= 1) {
    char* found = mmap(NULL, size, PROT_NONE, FLAGS, -1, 0);
    if (found == MAP_FAILED) continue;
    void* table = mmap(NULL, size / PAGE * sizeof *sizes, PROT_READ | PROT_WRITE, FLAGS, -1, 0);
    if (table == MAP_FAILED) {
      munmap(found, size);
      continue;
    }
    sizes = table, range_end = found + size, range = found;
    return;
  }
}

static void say_and_die(const char* what) {
  ssize_t written = write(2, what, strlen(what));
  (void)written;
  abort();
}

static int is_ours(const void* block) { return range && (char*)block >= range && (char*)block < range_end; }

static size_t* size_of(const void* block) { return &sizes[((char*)block - range) / PAGE]; }

// The pages of a block, without the untouchable one behind them.
static char* first_page(const void* block) { return (char*)((uintptr_t)block & ~(PAGE - 1)); }
static char* behind(const void* block, size_t size) { return (char*)(((uintptr_t)block + size + PAGE - 1) & ~(PAGE - 1)); }

// A block of zeros; NULL where there is no room for it.
static void* guarded(size_t alignment, size_t size) {
  if (!range || size > (size_t)1 << 40 || alignment > PAGE) return NULL;
  const size_t pages = (size + PAGE - 1) / PAGE * PAGE;
  const size_t start = __atomic_fetch_add(&used, pages + PAGE, __ATOMIC_RELAXED);
  if (start + pages + PAGE > (size_t)(range_end - range)) return NULL;
  char* first = range + start;
  if (mprotect(first, pages, PROT_READ | PROT_WRITE)) return NULL;  // there may be 65,530 mappings
  char* block = (char*)((uintptr_t)(first + pages - size) & ~(alignment - 1));
  memset(first, MARK, block - first);
  memset(block + size, MARK, first + pages - (block + size));
  *size_of(block) = size;
  return block;
}

static void* filled(void* block, size_t size) {
  if (block && fills) memset(block, NANS, size);
  return block;
}

static void check(const char* from, const char* to, const char* what) {
  for (; from < to; ++from)
    if ((unsigned char)*from != MARK) say_and_die(what);
}

void* malloc(size_t size) {
  void* block = size >= least ? guarded(16, size) : NULL;
  return filled(block ? block : __libc_malloc(size), size);
}

void* calloc(size_t number, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(number, size, &bytes)) {
    errno = ENOMEM;
    return NULL;
  }
  void* block = bytes >= least ? guarded(16, bytes) : NULL;
  return block ? block : __libc_calloc(number, size);
}

void* memalign(size_t alignment, size_t size) {
  void* block = size >= least ? guarded(alignment, size) : NULL;
  return filled(block ? block : __libc_memalign(alignment, size), size);
}

void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void** block, size_t alignment, size_t size) {
  void* found = memalign(alignment, size);
  if (!found) return ENOMEM;
  *block = found;
  return 0;
}

void free(void* block) {
  if (!is_ours(block)) {
    __libc_free(block);
    return;
  }
  const size_t size = *size_of(block);
  if (!size) say_and_die("guard: freed twice, or no block\n");
  *size_of(block) = 0;
  char *first = first_page(block), *end = behind(block, size);
  check((char*)block + size, end, "guard: written behind a block\n");
  check(first, block, "guard: written before a block\n");
  const int before = errno;  // a new mapping, which joins the untouchable ones beside it
  mmap(first, end - first, PROT_NONE, FLAGS | MAP_FIXED, -1, 0);
  errno = before;
}

size_t malloc_usable_size(void* block) {
  static size_t (*of_the_others)(void*);
  if (is_ours(block)) return *size_of(block);
  if (!of_the_others) *(void**)&of_the_others = dlsym(RTLD_NEXT, "malloc_usable_size");
  return of_the_others(block);
}

// What libc has stays with it, however large it grows: only it knows how much there is to copy.
void* realloc(void* block, size_t size) {
  if (!block) return malloc(size);
  if (!is_ours(block)) return __libc_realloc(block, size);
  if (!size) {
    free(block);
    return NULL;
  }
  const size_t old = *size_of(block);
  void* fresh = malloc(size);
  if (!fresh) return NULL;
  memcpy(fresh, block, old < size ? old : size);
  free(block);
  return fresh;
}
