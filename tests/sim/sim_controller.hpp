// The controller's core with a simulated storage around it: group commit, appends that fail with an unknown outcome,
// snapshots, crashes between any two steps. What would be threads are steps of the world.
#pragma once

#include "cluster/owner.hpp"
#include "cluster/reasons.hpp"
#include "coverage.hpp"
#include "dependency_witness.hpp"
#include "placement_witness.hpp"
#include "world.hpp"

#include <deque>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace jarvis::sim {

class SimController {
public:
    // What leaves the controller once it may.
    struct Outside {
        std::function<void(cluster::Reply)> reply;
        std::function<void(cluster::Effect)> to_node; // also WelcomeNode and RefuseNode
        std::function<void()> down;                   // all its connections are gone
        std::function<void(const cluster::Event&)> durable;
    };

    SimController(World& world, cluster::Settings settings, Outside outside);

    bool up() const { return owner_.has_value(); }
    // It is up, and its first commands are durable: nobody is let in before.
    bool serving() const { return serving_; }
    Epoch epoch() const { return owner_ ? owner_->state().epoch : Epoch{}; }
    const cluster::Uuid& uuid() const { return uuid_; }
    void start();
    void crash();
    void take(cluster::Command command);
    // Other settings, now and after every start.
    void configure(cluster::Settings settings);
    const cluster::Settings& settings() const { return settings_; }
    // No append succeeds for so long, and nothing of it is stored.
    void fill_storage(Duration time) { full_until_ = world_.now + time; }
    // Wall time against elapsed time.
    void jump_wall(Duration by) { wall_shift_ += by; }

    // What is durable, applied group by group as it became so: the truth that everything else is held against.
    const cluster::State& truth() const { return truth_; }
    const cluster::AdviceBoard& board() const { return board_; }
    std::uint64_t ends(JobId job) const { auto found = ends_.find(job); return found == ends_.end() ? 0 : found->second; }
    const std::map<JobId, std::uint64_t>& all_ends() const { return ends_; }
    const std::set<JobId>& submitted() const { return submitted_; }
    void check_replay();

private:
    World& world_;
    cluster::Settings settings_;
    Outside outside_;
    cluster::Uuid uuid_{};
    Duration wall_shift_{};
    Duration full_until_{};
    std::uint64_t life_ = 0; // counts starts and storage failures: steps planned by an earlier one do nothing

    // On disk.
    std::vector<std::string> journal_; // groups, encoded; the first is number first_
    std::uint64_t first_ = 1;
    std::vector<std::string> snapshot_;
    // What replay made of that, and of which part of the journal: first_ and how many groups.
    std::pair<std::uint64_t, std::size_t> replayed_to_;
    std::optional<cluster::State> replayed_;

    // In memory.
    std::optional<cluster::Owner> owner_;
    cluster::State replica_;
    cluster::AdviceBoard board_;
    std::vector<cluster::Command> inbox_;
    std::deque<cluster::Batch> undurable_;
    bool serving_ = false, deciding_ = false, writing_ = false;

    // The checker's own.
    cluster::State truth_;
    std::map<JobId, std::uint64_t> ends_;
    std::set<JobId> submitted_;
    std::uint64_t events_ = 0;
    CountByType<cluster::Command> commands_{world_.count, "command"};
    CountByType<cluster::Event> events_by_type_{world_.count, "event"};
    DependencyWitness dependencies_;
    PlacementWitness placements_{world_.count};

    WallTime wall() const { return WallTime(world_.now + wall_shift_); }
    Instant elapsed() const { return Instant(world_.now); }
    void plan(Duration delay, void (SimController::*step)());
    void end();
    void queue(cluster::Command command);
    void decide();
    void write();
    void persist(const cluster::Batch& batch);
    void persist(const cluster::Event& event, Instant at);
    void publish(cluster::Batch batch);
    void storage_failed();
    bool is_idle() const; // nothing waits to be decided, and nothing is due
    void tick();
    void maybe_snapshot();
    void write_snapshot(const cluster::State& state);
    const cluster::State& read_storage();
    cluster::State replay() const;
};

// The books of one state: what is free is what nobody holds, and nobody holds what another one has.
void check_books(const cluster::State& state);

} // namespace jarvis::sim
