// Stands before every kernel source (brew/cuda.py). Loops count in 64 bits: blobs may pass 2^31 elements.

#define FOR_EACH(i, n)                                                                       \
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < (n);              \
       i += (long long)blockDim.x * gridDim.x)

#define FOR_EACH_BLOCK(i, n) for (long long i = blockIdx.x; i < (n); i += gridDim.x)

// The sum of `value` over the block's 256 threads, given to every one of them. All threads must call it.
template <typename T>
__device__ T block_sum(T value) {
  __shared__ T partial[256];
  partial[threadIdx.x] = value;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    __syncthreads();
  }
  T sum = partial[0];
  __syncthreads();
  return sum;
}

// The largest `value` of the block's 256 threads, given to every one of them.
template <typename T>
__device__ T block_max(T value) {
  __shared__ T partial[256];
  partial[threadIdx.x] = value;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if (threadIdx.x < half && partial[threadIdx.x + half] > partial[threadIdx.x])
      partial[threadIdx.x] = partial[threadIdx.x + half];
    __syncthreads();
  }
  T largest = partial[0];
  __syncthreads();
  return largest;
}

// Draw number i of pass `index` of the stream `key0, key1`: brew.random.Stream.uint32(...)[i].
// Philox4x64-10, Salmon et al., SC 2011.
__device__ inline unsigned int philox_uint32(unsigned long long key0, unsigned long long key1,
                                             unsigned long long index, long long i) {
  unsigned long long c0 = (unsigned long long)i / 8, c1 = index, c2 = 0, c3 = 0;
  for (int round = 0; round < 10; ++round) {
    unsigned long long high0 = __umul64hi(0xD2E7470EE14C6C93ull, c0), low0 = 0xD2E7470EE14C6C93ull * c0;
    unsigned long long high1 = __umul64hi(0xCA5A826395121157ull, c2), low1 = 0xCA5A826395121157ull * c2;
    c0 = high1 ^ c1 ^ key0;
    c1 = low1;
    c2 = high0 ^ c3 ^ key1;
    c3 = low0;
    key0 += 0x9E3779B97F4A7C15ull;
    key1 += 0xBB67AE8584CAA73Bull;
  }
  int word = (int)(i % 8) / 2;
  unsigned long long bits = word == 0 ? c0 : word == 1 ? c1 : word == 2 ? c2 : c3;
  return (unsigned int)(i % 2 ? bits >> 32 : bits);
}

// 16-bit draw number i: brew.random.Stream.uint16(...)[i].
__device__ inline unsigned int philox_uint16(unsigned long long key0, unsigned long long key1,
                                             unsigned long long index, long long i) {
  return philox_uint32(key0, key1, index, i / 2) >> 16 * (i % 2) & 0xFFFFu;
}

// A solver's gradient, held between -limit and limit; a negative limit holds nothing back. NaN stays.
template <typename T>
__device__ T limited(T gradient, T limit) {
  if (limit < 0) return gradient;
  return gradient > limit ? limit : gradient < -limit ? -limit : gradient;
}
