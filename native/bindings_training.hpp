// Adds training to the Python module.
#pragma once

#include <nanobind/nanobind.h>

namespace condensity {

void define_training(nanobind::module_& module);

}  // namespace condensity
