// The kernels for x86-64 with AVX2 and FMA, four lanes. CMakeLists.txt gives this file its flags.
#define CONDENSITY_ISA avx2
#include "lanes_avx2.hpp"  // first: the headers below are written in its lanes
#include "floats_avx2.hpp"

#include "kernel_table.hpp"
