// The controller's core as it lives: batches of commands are decided and applied, and what they come to is stored and replayed beside it.
// After every batch the replay, and all that is derived, is the same as what lives.
#pragma once

#include "cluster/owner.hpp"
#include "cluster/reasons.hpp"
#include "draw.hpp"

#include <string>
#include <vector>

namespace jarvis::fuzz {

class LiveCluster {
    cluster::Owner owner_{cluster::State{}};
    cluster::State replayed_;
    cluster::AdviceBoard board_;
    cluster::Token last_token_ = 0;
    Instant now_{};
    SequenceNumber checked_; // up to which group
    std::vector<std::string> groups_; // as they are stored

    void keep(cluster::Batch batch, std::vector<cluster::Effect>& effects);
    void check() const;
    void run(const std::vector<cluster::Command>& commands, bool may_start, cluster::Owner::Slice slice);
    void restart(Draw& draw);

public:
    // A new cluster with settings, and nodes that have joined.
    explicit LiveCluster(Draw& draw);
    // One batch, or a restart of the controller.
    void step(Draw& draw);

    const cluster::State& state() const { return owner_.state(); }
    const cluster::AdviceBoard& board() const { return board_; }
    const std::vector<std::string>& groups() const { return groups_; }
};

} // namespace jarvis::fuzz
