#pragma once
// Run-time choice of instruction set for the loops: each function so marked is compiled for baseline x86-64, AVX2 and
// AVX-512, and the loader picks one (GNU ifunc). On other architectures the baseline is the vector one already.
//
// A marked function must contain its loops itself: what it calls is vectorised with it only if inlined
// (STEEPEST_INLINE).
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define STEEPEST_SIMD __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define STEEPEST_SIMD
#endif
#define STEEPEST_INLINE [[gnu::always_inline]] inline
