// What the update rules share. Each works on one flat vector and is the twin of a class of
// condensity/engines/reference/optimizer.py, whose letters it uses.
//
// Vectors are padded to whole lanes; the numbers in the padding are never read.
#pragma once

#include "../floats.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr float optimizer_epsilon = 1e-8f;

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
