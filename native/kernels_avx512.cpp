// The kernels for x86-64 with AVX-512F and DQ, eight lanes. CMakeLists.txt gives this file its flags.
#define CONDENSITY_ISA avx512
#include "lanes_avx512.hpp"  // first: the headers below are written in its lanes
#include "floats_avx512.hpp"

#include "kernel_table.hpp"
