// TEST EQUIPMENT. Pointers and arrays that hold every access against bounds and against other threads' accesses.
// rewrite.py turns `T*` into Checked<T>, and marks the index of an element that is stored to or whose address is
// taken with Store(...).
#pragma once
#include <stddef.h>

#include "runtime.h"

namespace brew_host {

template <typename T> struct Same { using type = T; };
template <typename T> using Exactly = typename Same<T>::type;  // takes no part in deduction

struct Store {
  long long index;
  explicit Store(long long i) : index(i) {}
  operator long long() const { return index; }  // for an array the rewriting left alone
};

template <typename T> inline T* element(Array* a, long long i, bool store) {
  if ((unsigned long long)i >= (unsigned long long)a->count) brew_out_of_bounds(a, i, a->count, store);
  return (T*)a->base + i;
}

inline bool mine(uint32_t stamp) { return stamp == brew_stamp || stamp <= brew_launch_begin; }
inline bool no_atomic(const Shadow* s) { return s->atomic[0] <= brew_launch_begin; }  // [0] is the latest

template <typename T> inline T load(Array* a, long long i) {
  T* p = element<T>(a, i, false);
  if (Shadow* s = a->shadow ? a->shadow + i : nullptr) {
    if (s->read[0] != brew_stamp) {
      bool known = a->kind == GLOBAL || s->written > brew_launch_begin;
      if (known && mine(s->written) && mine(s->read[0]) && no_atomic(s))
        s->read[0] = brew_stamp;
      else
        brew_access(a, i, READ);
    }
  }
  return *p;
}

template <typename T> inline T* to_store(Array* a, long long i) {
  T* p = element<T>(a, i, true);
  if (Shadow* s = a->shadow ? a->shadow + i : nullptr) {
    if (mine(s->written) && mine(s->read[0]) && mine(s->read[1]) && mine(s->read[2]) && no_atomic(s))
      s->written = brew_stamp;
    else
      brew_access(a, i, WRITE);
  }
  return p;
}

template <typename T> inline T* to_update(Array* a, long long i) {  // atomically
  T* p = element<T>(a, i, true);
  if (a->shadow) brew_access(a, i, ATOMIC);
  return p;
}

template <typename T> class Checked;

// An element named for a store or for its address.
template <typename T> class Element {
 public:
  Element(Array* a, long long i) : array_(a), index_(i) {}
  T operator=(T v) const { return *to_store<T>(array_, index_) = v; }
  T operator+=(T v) const { return *this = load<T>(array_, index_) + v; }
  T operator-=(T v) const { return *this = load<T>(array_, index_) - v; }
  T operator*=(T v) const { return *this = load<T>(array_, index_) * v; }
  T operator/=(T v) const { return *this = load<T>(array_, index_) / v; }
  T operator|=(T v) const { return *this = load<T>(array_, index_) | v; }
  T operator&=(T v) const { return *this = load<T>(array_, index_) & v; }
  T operator^=(T v) const { return *this = load<T>(array_, index_) ^ v; }
  T operator++() const { return *this += 1; }
  T operator--() const { return *this -= 1; }
  T operator++(int) const { return (*this += 1) - 1; }
  T operator--(int) const { return (*this -= 1) + 1; }
  Checked<T> operator&() const { return Checked<T>(array_, index_); }

 private:
  Array* array_;
  long long index_;
};

template <typename T> class Checked<const T> {
 public:
  Checked() : array_(nullptr), offset_(0) {}
  Checked(decltype(nullptr)) : Checked() {}
  Checked(Array* a, long long offset) : array_(a), offset_(offset) {}
  template <typename U> explicit Checked(const Checked<U>& other) : array_(other.array()), offset_(other.offset()) {
    static_assert(sizeof(U) == sizeof(T), "a pointer cast between element sizes");
  }
  T operator[](long long i) const { return load<T>(checked(), offset_ + i); }
  Element<const T> operator[](Store s) const { return {checked(), offset_ + s.index}; }
  T operator*() const { return (*this)[0]; }
  explicit operator bool() const { return array_ != nullptr; }
  Array* array() const { return array_; }
  Array* checked() const {
    if (!array_) brew_fail("a null pointer is followed");
    return array_;
  }
  long long offset() const { return offset_; }
  Checked operator+(long long n) const { return {array_, offset_ + n}; }
  Checked operator-(long long n) const { return {array_, offset_ - n}; }
  long long operator-(const Checked& other) const { return offset_ - other.offset_; }
  Checked& operator+=(long long n) { return offset_ += n, *this; }
  Checked& operator-=(long long n) { return offset_ -= n, *this; }
  Checked& operator++() { return *this += 1; }
  bool operator==(const Checked& o) const { return array_ == o.array_ && offset_ == o.offset_; }
  bool operator!=(const Checked& o) const { return !(*this == o); }
  bool operator<(const Checked& o) const { return offset_ < o.offset_; }

 protected:
  Array* array_;
  long long offset_;
};

// Derived, so that Checked<float> is deduced for a parameter Checked<const T>, as float* is for const T*.
template <typename T> class Checked : public Checked<const T> {
  using Base = Checked<const T>;

 public:
  using Base::Base;
  Checked() = default;
  using Base::operator[];
  using Base::operator-;
  Element<T> operator[](Store s) const { return {this->checked(), this->offset_ + s.index}; }
  Checked operator+(long long n) const { return {this->array_, this->offset_ + n}; }
  Checked operator-(long long n) const { return {this->array_, this->offset_ - n}; }
  Checked& operator+=(long long n) { return this->offset_ += n, *this; }
  Checked& operator-=(long long n) { return this->offset_ -= n, *this; }
  Checked& operator++() { return *this += 1; }
};

// An array of several dimensions, shared or local; each index is held against its own dimension.
template <typename T, long long... Rest> class Grid;
template <typename T, long long Rows> class Grid<T, Rows> {
 public:
  Grid(Array* a, long long offset) : array_(a), offset_(offset) {}
  T operator[](long long i) const { return load<T>(array_, place(i, false)); }
  Element<T> operator[](Store s) const { return {array_, place(s.index, true)}; }
  operator Checked<T>() const { return {array_, offset_}; }
  static constexpr long long size = Rows;

 private:
  long long place(long long i, bool store) const {
    if ((unsigned long long)i >= (unsigned long long)Rows) brew_out_of_bounds(array_, i, Rows, store);
    return offset_ + i;
  }
  Array* array_;
  long long offset_;
};
template <typename T, long long Rows, long long... Rest> class Grid<T, Rows, Rest...> {
 public:
  using Row = Grid<T, Rest...>;
  Grid(Array* a, long long offset) : array_(a), offset_(offset) {}
  Row operator[](long long i) const {
    if ((unsigned long long)i >= (unsigned long long)Rows) brew_out_of_bounds(array_, i, Rows, false);
    return Row(array_, offset_ + i * Row::size);
  }
  static constexpr long long size = Rows * Row::size;

 private:
  Array* array_;
  long long offset_;
};

template <typename T> Array* shared(const void* site, const char* name, long long count) {
  return brew_shared(site, name, count, sizeof(T));
}

// A thread's own array: bounds only.
template <typename T, long long N> struct Local {
  T values[N];
  Array describe(const char* name) const { return {(char*)values, N, nullptr, name, LOCAL}; }
};

template <typename P, typename T> P reinterpret(const Checked<T>& p) { return P(p); }

}  // namespace brew_host

using brew_host::Checked;
