// Choice of the instruction set: the best that processor and system support, unless CONDENSITY_ISA or use_isa says otherwise.
#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"

namespace condensity {

// Those that run on this machine, slowest first.
std::vector<std::string> available_isas();

// The chosen instruction set's functions. The first call reads CONDENSITY_ISA; throws std::invalid_argument, each time,
// as long as it names an instruction set that is unknown or cannot run here.
const Kernels& kernels();

// Chooses by name, for the whole process; throws std::invalid_argument as above.
void use_isa(const std::string& name);

}  // namespace condensity
