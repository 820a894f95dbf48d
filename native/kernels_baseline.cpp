// The kernels for every machine: plain C++, one lane. CMakeLists.txt gives this file its flags.
#define CONDENSITY_ISA baseline
#include "lanes_baseline.hpp"  // first: the headers below are written in its lanes
#include "floats_baseline.hpp"

#include "kernel_table.hpp"
