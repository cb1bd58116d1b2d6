// TEST EQUIPMENT. CUDA's names for the host compiler, over the checked pointers of checked.h.
#pragma once
#include <math.h>
#include <string.h>

#include "checked.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __constant__ static const
#define __launch_bounds__(...)

namespace brew_host {

// --- atomics: the overloads CUDA has ---------------------------------------------------------------------------

template <typename T, typename F> T update(const Checked<T>& p, F f) {
  T* place = to_update<T>(p.checked(), p.offset());
  T old = *place;
  *place = f(old);
  return old;
}

template <typename T> struct CanAdd { static constexpr bool value = false; };
template <> struct CanAdd<int> { static constexpr bool value = true; };
template <> struct CanAdd<unsigned int> { static constexpr bool value = true; };
template <> struct CanAdd<unsigned long long> { static constexpr bool value = true; };
template <> struct CanAdd<float> { static constexpr bool value = true; };
template <> struct CanAdd<double> { static constexpr bool value = true; };
template <typename T> struct IsInteger { static constexpr bool value = CanAdd<T>::value; };
template <> struct IsInteger<long long> { static constexpr bool value = true; };
template <> struct IsInteger<float> { static constexpr bool value = false; };
template <> struct IsInteger<double> { static constexpr bool value = false; };

// --- warps -------------------------------------------------------------------------------------------------------

inline int lane() {
  return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32;
}

template <typename T> T shuffle(int line, unsigned int mask, T value, int source) {
  static_assert(sizeof(T) <= 8, "a shuffle moves at most eight bytes");
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(T));
  bits = brew_warp(SHUFFLE, line, mask, bits, source);
  memcpy(&value, &bits, sizeof(T));
  return value;
}
template <typename T> T shfl(int line, unsigned int mask, T v, int source, int width = 32) {
  return shuffle(line, mask, v, lane() / width * width + source % width);
}
template <typename T> T shfl_up(int line, unsigned int mask, T v, unsigned int delta, int width = 32) {
  int source = lane() - (int)delta;
  return shuffle(line, mask, v, source < lane() / width * width ? lane() : source);
}
template <typename T> T shfl_down(int line, unsigned int mask, T v, unsigned int delta, int width = 32) {
  int source = lane() + (int)delta;
  return shuffle(line, mask, v, source >= (lane() / width + 1) * width ? lane() : source);
}
template <typename T> T shfl_xor(int line, unsigned int mask, T v, int bits, int width = 32) {
  int source = lane() ^ bits;
  return shuffle(line, mask, v, source >= (lane() / width + 1) * width ? lane() : source);
}
inline unsigned int ballot(int line, unsigned int mask, int predicate) {
  return (unsigned int)brew_warp(BALLOT, line, mask, predicate != 0, 0);
}
struct SyncWarp {
  int line;
  void operator()(unsigned int mask = 0xffffffffu) const { brew_warp(WARP_BARRIER, line, mask, 0, 0); }
};

// --- launching ---------------------------------------------------------------------------------------------------

template <typename T> struct Type;
#define BREW_TYPE(T, text)                                                             \
  template <> struct Type<T> {                                                         \
    static constexpr const char* name = text;                                          \
    static T get(const Argument& a) { T v; memcpy(&v, a.value, sizeof v); return v; }  \
  };                                                                                   \
  template <> struct Type<Checked<T>> {                                                \
    static constexpr const char* name = text "*";                                      \
    static Checked<T> get(const Argument& a) { return a.array.base ? Checked<T>((Array*)&a.array, 0) : nullptr; } \
  };                                                                                   \
  template <> struct Type<Checked<const T>> : Type<Checked<T>> {};
BREW_TYPE(bool, "bool")
BREW_TYPE(signed char, "int8")
BREW_TYPE(unsigned char, "uint8")
BREW_TYPE(int, "int32")
BREW_TYPE(unsigned int, "uint32")
BREW_TYPE(long long, "int64")
BREW_TYPE(unsigned long long, "uint64")
BREW_TYPE(float, "float32")
BREW_TYPE(double, "float64")
#undef BREW_TYPE

template <int... I> struct Indices {};
template <int N, int... I> struct Count : Count<N - 1, N - 1, I...> {};
template <int... I> struct Count<0, I...> { using type = Indices<I...>; };

template <typename... P, int... I> void call(void (*kernel)(P...), const Argument* a, Indices<I...>) {
  kernel(Type<P>::get(a[I])...);
}
template <typename... P> void call(void (*kernel)(P...), const Argument* a) {
  call(kernel, a, typename Count<sizeof...(P)>::type());
}
template <typename... P> const char* const* signature(void (*)(P...)) {
  static const char* const names[] = {Type<P>::name..., nullptr};
  return names;
}

}  // namespace brew_host

#define __syncthreads() brew_barrier(__LINE__)
#define __syncwarp brew_host::SyncWarp{__LINE__}
#define __shfl_sync(...) brew_host::shfl(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) brew_host::shfl_up(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) brew_host::shfl_down(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) brew_host::shfl_xor(__LINE__, __VA_ARGS__)
#define __ballot_sync(...) brew_host::ballot(__LINE__, __VA_ARGS__)
#define __any_sync(mask, p) (brew_host::ballot(__LINE__, mask, p) != 0)
#define __all_sync(mask, p) (brew_host::ballot(__LINE__, mask, !(p)) == 0)
#define __threadfence()
#define __threadfence_block()

template <typename T> T atomicAdd(Checked<T> p, brew_host::Exactly<T> v) {
  static_assert(brew_host::CanAdd<T>::value, "CUDA has no atomicAdd for this type");
  return brew_host::update(p, [v](T old) { return old + v; });
}
template <typename T> T atomicExch(Checked<T> p, brew_host::Exactly<T> v) {
  static_assert(brew_host::CanAdd<T>::value && sizeof(T) <= 8, "CUDA has no atomicExch for this type");
  return brew_host::update(p, [v](T) { return v; });
}
template <typename T> T atomicMax(Checked<T> p, brew_host::Exactly<T> v) {
  static_assert(brew_host::IsInteger<T>::value, "CUDA has atomicMax for integers only");
  return brew_host::update(p, [v](T old) { return old < v ? v : old; });
}
template <typename T> T atomicMin(Checked<T> p, brew_host::Exactly<T> v) {
  static_assert(brew_host::IsInteger<T>::value, "CUDA has atomicMin for integers only");
  return brew_host::update(p, [v](T old) { return v < old ? v : old; });
}
template <typename T> T atomicCAS(Checked<T> p, brew_host::Exactly<T> expected, brew_host::Exactly<T> v) {
  static_assert(brew_host::IsInteger<T>::value, "CUDA has atomicCAS for integers only");
  return brew_host::update(p, [=](T old) { return old == expected ? v : old; });
}

template <typename T> T __ldg(const Checked<const T>& p) { return *p; }

inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)((unsigned __int128)a * b >> 64);
}
inline unsigned int __umulhi(unsigned int a, unsigned int b) { return (unsigned int)((unsigned long long)a * b >> 32); }
inline int __popc(unsigned int v) { return __builtin_popcount(v); }
inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline int __clz(int v) { return v ? __builtin_clz((unsigned int)v) : 32; }

template <typename To, typename From> To brew_bits(From v) {
  static_assert(sizeof(To) == sizeof(From), "");
  To to;
  memcpy(&to, &v, sizeof to);
  return to;
}
inline int __float_as_int(float v) { return brew_bits<int>(v); }
inline float __int_as_float(int v) { return brew_bits<float>(v); }
inline unsigned int __float_as_uint(float v) { return brew_bits<unsigned int>(v); }
inline float __uint_as_float(unsigned int v) { return brew_bits<float>(v); }
inline long long __double_as_longlong(double v) { return brew_bits<long long>(v); }
inline double __longlong_as_double(long long v) { return brew_bits<double>(v); }

template <typename A, typename B> auto max(A a, B b) -> decltype(true ? A() : B()) {
  if (a != a) return b;  // CUDA's fmax: the number wins over NaN
  return a < b ? b : a;
}
template <typename A, typename B> auto min(A a, B b) -> decltype(true ? A() : B()) {
  if (a != a) return b;
  return b < a ? b : a;
}
inline float rsqrt(float v) { return 1 / sqrtf(v); }
inline double rsqrt(double v) { return 1 / sqrt(v); }
inline float rsqrtf(float v) { return rsqrt(v); }
inline float __expf(float v) { return expf(v); }
inline float __logf(float v) { return logf(v); }
inline float __powf(float a, float b) { return powf(a, b); }
inline float __fdividef(float a, float b) { return a / b; }
