// Remembers of every job what ever happened to it, and holds each start against what it was to wait for: by the events of the
// journal alone, not by what the core keeps of dependencies.
#pragma once

#include "cluster/events.hpp"

#include <set>

namespace jarvis::sim {

class DependencyWitness {
    std::set<JobId> started_, ended_, well_, badly_;

    void note_end(JobId id, bool well);
    bool held(const cluster::State& before, JobId id, const Dependency& dependency) const;
    void check_start(const cluster::State& before, JobId id) const;

public:
    // With the state that the event is about to be applied to.
    void see(const cluster::State& before, const cluster::Event& event);
};

// The books of arrays: each task is in one place, and no more of them run than may.
void check_arrays(const cluster::State& state);

} // namespace jarvis::sim
