// Every solver. A new one is a header of this folder and its name here; in condensity/engines, its traits in types.py and its twin in
// reference/optimizer.py.
#pragma once

#include "adam.hpp"
#include "adamw.hpp"
#include "rmsprop.hpp"
#include "schedule_free_adamw.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr Solver solvers[] = {schedule_free_adamw, adamw, adam, rmsprop};

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
