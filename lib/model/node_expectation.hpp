// What a node has to have before it gets jobs.
#pragma once

#include "base/memory_size.hpp"
#include "model/topology.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace jarvis {

// The least of each; 0: whatever there is.
struct NodeExpectation {
    std::uint32_t packages = 0;
    std::uint32_t numa_nodes = 0;
    std::uint32_t cores = 0;
    std::uint32_t threads_per_core = 0; // of every core
    MemorySize memory{};
    std::map<std::string, std::uint32_t> devices{}; // "gpu", or of one type "gpu:a100"
    friend bool operator==(const NodeExpectation&, const NodeExpectation&) = default;
};

// What is less than expected, for people: "expected 4 gpu, found 3; expected 64G of memory, found 62G". Empty: nothing.
std::string shortfall(const NodeExpectation& expected, const Topology& found);

} // namespace jarvis
