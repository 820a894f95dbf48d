#pragma once

#include <nanobind/nanobind.h>

namespace condensity {

// Mixtures of Gaussians over rows of a table, and k-means; see condensity.engines.native.
void define_gaussians(nanobind::module_& module);

}  // namespace condensity
