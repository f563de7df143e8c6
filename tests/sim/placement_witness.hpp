// Holds each start against how its job wished to lie, and against what its neighbours were promised.
#pragma once

#include "cluster/events.hpp"
#include "world.hpp"

namespace jarvis::sim {

class PlacementWitness {
    std::map<std::string, std::uint64_t>& count_;

public:
    explicit PlacementWitness(std::map<std::string, std::uint64_t>& count) : count_(count) {}
    // With the state that the event is about to be applied to.
    void see(const cluster::State& before, const cluster::Event& event);
};

} // namespace jarvis::sim
