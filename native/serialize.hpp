// The state of a run as bytes, and back: one list of fields serves both ways.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <type_traits>
#include <vector>

namespace condensity {

// state(field) for every field, in order; vectors of numbers come with their length.
class StateWriter {
public:
    template <class Value>
    void operator()(const Value& value) {
        static_assert(std::is_trivially_copyable_v<Value>);
        append(&value, sizeof value);
    }

    template <class Value>
    void operator()(const std::vector<Value>& values) {
        operator()(values.size());
        append(values.data(), values.size() * sizeof(Value));
    }

    template <class Value>
    void resizable(const std::vector<Value>& values) {
        operator()(values);
    }

    const std::vector<std::uint8_t>& bytes() const { return bytes_; }

private:
    void append(const void* source, std::size_t size) {
        const auto* first = static_cast<const std::uint8_t*>(source);
        if (size > 0) bytes_.insert(bytes_.end(), first, first + size);
    }

    std::vector<std::uint8_t> bytes_;
};

// Vectors keep the length that they have, unless `resizable`; any other length is an error.
class StateReader {
public:
    StateReader(const std::uint8_t* bytes, std::size_t size) : bytes_(bytes), left_(size) {}

    template <class Value>
    void operator()(Value& value) {
        static_assert(std::is_trivially_copyable_v<Value>);
        take(&value, sizeof value);
    }

    template <class Value>
    void operator()(std::vector<Value>& values) {
        std::size_t size = 0;
        operator()(size);
        if (size != values.size()) fail();
        take(values.data(), size * sizeof(Value));
    }

    template <class Value>
    void resizable(std::vector<Value>& values) {
        std::size_t size = 0;
        operator()(size);
        if (size > left_ / sizeof(Value)) fail();
        values.resize(size);
        take(values.data(), size * sizeof(Value));
    }

    bool is_at_end() const { return left_ == 0; }

    [[noreturn]] static void fail() { throw std::invalid_argument("the saved state is of another run, or damaged."); }

private:
    void take(void* target, std::size_t size) {
        if (size > left_) fail();
        if (size > 0) std::memcpy(target, bytes_, size);
        bytes_ += size;
        left_ -= size;
    }

    const std::uint8_t* bytes_;
    std::size_t left_;
};

}  // namespace condensity
