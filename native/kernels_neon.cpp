// The kernels for arm64, two lanes. CMakeLists.txt gives this file its flags.
#define CONDENSITY_ISA neon
#include "lanes_neon.hpp"  // first: the headers below are written in its lanes
#include "floats_neon.hpp"

#include "kernel_table.hpp"
