#include "dispatch.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>

#if defined(__x86_64__) || defined(_M_X64)
#define CONDENSITY_X86_64
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace condensity {

namespace baseline {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}
namespace neon {
extern const Kernels kernels;
}

namespace {

#if defined(CONDENSITY_X86_64)

struct Registers {
    std::uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(std::uint32_t leaf) {
    Registers r{};
#if defined(_MSC_VER)
    int out[4];
    __cpuidex(out, 0, 0);
    if (static_cast<std::uint32_t>(out[0]) < leaf) return r;
    __cpuidex(out, static_cast<int>(leaf), 0);
    r = {static_cast<std::uint32_t>(out[0]), static_cast<std::uint32_t>(out[1]), static_cast<std::uint32_t>(out[2]),
         static_cast<std::uint32_t>(out[3])};
#else
    __get_cpuid_count(leaf, 0, &r.eax, &r.ebx, &r.ecx, &r.edx);  // leaves zeros where the leaf does not exist
#endif
    return r;
}

// XCR0: the register sets that the operating system saves when it switches threads. Only where OSXSAVE is set.
std::uint64_t saved_register_sets() {
#if defined(_MSC_VER)
    return _xgetbv(0);
#else
    std::uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (static_cast<std::uint64_t>(high) << 32) | low;
#endif
}

bool has_bit(std::uint32_t flags, int bit) { return (flags >> bit & 1u) != 0; }

// Bits as in Intel's manual, volume 2A, CPUID: leaf 1 ECX: FMA 12, OSXSAVE 27; leaf 7 EBX: AVX2 5, AVX512F 16, AVX512DQ 17.
std::vector<const Kernels*> find_available() {
    std::vector<const Kernels*> found{&baseline::kernels};
    const Registers basic = cpuid(1), extended = cpuid(7);
    if (!has_bit(basic.ecx, 27)) return found;
    const std::uint64_t saved = saved_register_sets();
    const std::uint64_t ymm = 0x06, zmm = 0xe6;  // SSE and AVX; and the masks, the upper halves and registers 16 to 31
    if ((saved & ymm) != ymm || !has_bit(basic.ecx, 12) || !has_bit(extended.ebx, 5)) return found;
    found.push_back(&avx2::kernels);
    if ((saved & zmm) == zmm && has_bit(extended.ebx, 16) && has_bit(extended.ebx, 17))
        found.push_back(&avx512::kernels);
    return found;
}

#elif defined(__aarch64__) || defined(_M_ARM64)

std::vector<const Kernels*> find_available() { return {&baseline::kernels, &neon::kernels}; }

#else

std::vector<const Kernels*> find_available() { return {&baseline::kernels}; }

#endif

const std::vector<const Kernels*>& available() {
    static const std::vector<const Kernels*> found = find_available();
    return found;
}

const Kernels* find(const std::string& name, const char* origin) {
    std::string known;
    for (const Kernels* candidate : available()) {
        if (name == candidate->isa) return candidate;
        known += (known.empty() ? "'" : ", '") + std::string(candidate->isa) + "'";
    }
    throw std::invalid_argument(std::string(origin) + " asks for the instruction set '" + name +
                                "', which is unknown or does not run on this machine; available: " + known + ".");
}

std::atomic<const Kernels*> chosen{nullptr};

}  // namespace

std::vector<std::string> available_isas() {
    std::vector<std::string> names;
    for (const Kernels* candidate : available()) names.emplace_back(candidate->isa);
    return names;
}

const Kernels& kernels() {
    const Kernels* current = chosen.load();
    if (current == nullptr) {
        const char* asked = std::getenv("CONDENSITY_ISA");
        current = asked != nullptr && *asked != '\0' ? find(asked, "CONDENSITY_ISA") : available().back();
        chosen.store(current);
    }
    return *current;
}

void use_isa(const std::string& name) { chosen.store(find(name, "use_isa")); }

}  // namespace condensity
