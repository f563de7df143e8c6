// What a node offers to jobs: what it has, by what the configuration says of it.
#pragma once

#include "base/memory_size.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "model/topology.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace jarvis::noded {

// How it is offered. Virtual cores stand for no core of the machine: they are counted, and jobs are not bound to any; where the
// configuration describes their topology they keep its shape.
enum class OfferAs : std::uint8_t { real_cores, virtual_cores, described_cores, nothing };
struct Offer {
    Topology topology;
    bool bound = true;              // jobs are bound to the cores that they have
    std::vector<std::string> notes; // for people who look at the node
};
// The first `cores` cores (0: all), and `memory` taken from the NUMA nodes in proportion to their size. Where it states more
// cores than there are, all are virtual.
Offer offer(Topology topology, std::uint32_t cores, std::optional<MemorySize> memory, OfferAs as = OfferAs::real_cores);

// What is left when the last `cores` cores and `memory` are kept for the system; the memory is taken from the DRAM of all NUMA
// nodes alike. Fails where nothing would be left.
Result<Topology> without_reserve(Topology topology, std::uint32_t cores, MemorySize memory);
// The share of a machine's memory that is kept where the configuration does not say: 2 % of it, at least 128 MiB and at most
// 4 GiB; nothing of less than 2 GiB.
MemorySize default_reserve(MemorySize memory);

// Puts stated devices in the place of those of the same name; the note says of what makes no sense here.
void state_devices(const std::vector<config::StatedDevice>& stated, Topology& topology, std::vector<std::string>& notes);

// All of the above for this node: finds what is there and says what is offered of it. May take a second.
Result<Offer> find_offer(const config::Node& node, const config::NodeDaemon& daemon);

} // namespace jarvis::noded
