// The core without Python, for every instruction set that this machine runs. Prints a line per group; exits 1 if any group fails.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "check.hpp"

namespace condensity::tests {
namespace {

int failures = 0;

void test_dispatch() {
    double wrong = 0;
    for (const std::string& name : available_isas()) {
        use_isa(name);
        wrong += name == kernels().isa ? 0 : 1;
    }
    try {
        use_isa("mmx");
        wrong += 1;
    } catch (const std::invalid_argument& error) {
        wrong += std::string(error.what()).find("'mmx'") != std::string::npos ? 0 : 1;
    }
    report("dispatch", wrong, 0, "failures");
}

}  // namespace

void report(const std::string& group, double worst, double allowed, const char* unit) {
    const bool good = worst <= allowed;  // false for NaN too
    failures += good ? 0 : 1;
    std::printf("%-6s %-40s worst %.3g, allowed %.3g %s\n", good ? "ok" : "FAILED", group.c_str(), worst, allowed, unit);
}

}  // namespace condensity::tests

int main() {
    using namespace condensity;
    using namespace condensity::tests;
    for (const std::string& name : available_isas()) {
        use_isa(name);
        const Kernels& chosen = condensity::kernels();
        test_functions(chosen);
        test_mixtures(chosen);
        test_gaussians(chosen);
        test_training(chosen);
    }
    test_kmeans();
    test_dispatch();
    std::printf("%s\n", failures == 0 ? "all groups passed" : "SOME GROUPS FAILED");
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
