#include "sim_controller.hpp"

#include "cluster/apply.hpp"
#include "journal/codec.hpp"
#include "journal/snapshot_comparer.hpp"
#include "reason_witness.hpp"

namespace jarvis::sim {

namespace {

using namespace std::chrono_literals;

constexpr Duration decide_delay = 200us;
constexpr Duration tick_interval = 10s;
constexpr cluster::Token begun = ~cluster::Token{}; // of the configuration that a start ends with
constexpr std::uint64_t events_between_replays = 500;

// The state of the job that an event is about; empty: there is none yet, or it is about none.
std::string state_of(const cluster::State& state, const cluster::Event& event)
{
    return std::visit(
        [&](const auto& e) {
            if constexpr (requires { JobId(e.job); })
                if (const auto job = state.find(e.job))
                    return std::string(name(job->state));
            return std::string();
        },
        event);
}

} // namespace

SimController::SimController(World& world, cluster::Settings settings, Outside outside)
    : world_(world), settings_(std::move(settings)), outside_(std::move(outside))
{
    uuid_.fill(7);
}

void SimController::plan(Duration delay, void (SimController::*step)())
{
    world_.after(delay, [this, step, life = life_] {
        if (life == life_ && up())
            (this->*step)();
    });
}

void SimController::start()
{
    ++life_;
    auto state = read_storage();
    if (!(state == truth_))
        broken("replay gives another state than what was durable (group {} against {})", state.sequence, truth_.sequence);
    replica_ = state;
    board_.clear();
    owner_.emplace(std::move(state));
    deciding_ = writing_ = false;
    world_.say("controller starts at group {}", replica_.sequence);
    queue(cluster::CreateCluster{uuid_, "sim"});
    queue(cluster::StartController{wall(), {"boot", Duration{}}});
    queue(cluster::Configure{settings_, begun});
    plan(tick_interval, &SimController::tick);
}

void SimController::crash()
{
    if (!up())
        return;
    world_.say("controller is killed");
    ++world_.count["fault: controller killed"];
    // What the disk was busy with may be there or not.
    if (writing_ && !undurable_.empty() && world_.chance(0.5))
        persist(undurable_.front());
    end();
}

void SimController::end()
{
    ++life_;
    serving_ = false;
    owner_.reset();
    inbox_.clear();
    undurable_.clear();
    outside_.down();
}

void SimController::take(cluster::Command command)
{
    if (serving_)
        queue(std::move(command));
}

void SimController::configure(cluster::Settings settings)
{
    settings_ = std::move(settings);
    take(cluster::Configure{settings_, 0});
}

void SimController::queue(cluster::Command command)
{
    commands_.add(command);
    inbox_.push_back(std::move(command));
    if (!std::exchange(deciding_, true))
        plan(decide_delay, &SimController::decide);
}

void SimController::decide()
{
    deciding_ = false;
    // Sometimes a batch is one command, sometimes all that wait.
    const auto take = std::min<std::size_t>(inbox_.size(), 1 + world_.below(8));
    // Sometimes a pass is done at once, sometimes step by step with other commands between.
    const auto slice = world_.chance(0.5) ? cluster::Owner::Slice{} : cluster::Owner::Slice{world_.below(3), world_.below(3)};
    auto batch = owner_->run(std::span(inbox_).first(take), elapsed(), true, slice);
    inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(take));
    // Most batches are reports without news, and leave the state whose books were looked at last. One that changed it behind the
    // events is found by check_replay, and by the books after the next event.
    if (!batch.group.events.empty())
        check_books(owner_->state());
    undurable_.push_back(std::move(batch));
    if (!std::exchange(writing_, true))
        plan(world_.between(100us, 5ms), &SimController::write);
    if (!inbox_.empty() || owner_->unfinished()) {
        deciding_ = true;
        plan(decide_delay, &SimController::decide);
    }
}

void SimController::write()
{
    writing_ = false;
    if (!undurable_.front().group.events.empty()) {
        const bool full = world_.faults && world_.now < full_until_;
        const bool unknown = world_.fault(0.005);
        world_.count["fault: storage is full"] += full;
        world_.count["fault: append with unknown outcome"] += unknown && !full;
        if (unknown && !full && world_.chance(0.5))
            persist(undurable_.front());
        if (full || unknown)
            return storage_failed();
    }
    auto batch = std::move(undurable_.front());
    undurable_.pop_front();
    persist(batch);
    publish(std::move(batch));
    if (!undurable_.empty()) {
        writing_ = true;
        plan(world_.between(100us, 5ms), &SimController::write);
    }
}

void SimController::persist(const cluster::Batch& batch)
{
    if (batch.group.events.empty())
        return;
    journal_.push_back(journal::encode_group(batch.group));
    const auto replays = events_ / events_between_replays;
    for (const auto& event : batch.group.events)
        persist(event, batch.group.at);
    truth_.sequence = batch.group.sequence;
    check_books(truth_);
    check_arrays(truth_);
    if (events_ / events_between_replays != replays && !(read_storage() == truth_))
        broken("replay does not equal live at group {}", truth_.sequence);
}

void SimController::persist(const cluster::Event& event, Instant at)
{
    if (auto fits = journal::check_event(truth_, event); !fits)
        broken("an event that was decided does not fit: {}", fits.error().message);
    if (const auto* e = std::get_if<cluster::JobSubmitted>(&event); e && !submitted_.insert(e->job).second)
        broken("job id {} was given twice", e->job);
    if (const auto* e = std::get_if<cluster::JobEnded>(&event); e && ++ends_[e->job] > 1)
        broken("job {} ended twice", e->job);
    if (const auto* e = std::get_if<cluster::JobRequeued>(&event); e && truth_.find(e->job)->ended)
        --ends_[e->job];
    dependencies_.see(truth_, event);
    placements_.see(truth_, event);
    const auto before = state_of(truth_, event);
    cluster::apply(truth_, event, at);
    if (const auto after = state_of(truth_, event); after != before && !after.empty())
        ++world_.count[fmt::format("state: {} -> {}", before.empty() ? "new" : before, after)];
    outside_.durable(event);
    ++events_;
    events_by_type_.add(event);
}

bool SimController::is_idle() const
{
    const auto wake = cluster::next_wake(owner_->state());
    return serving_ && inbox_.empty() && undurable_.empty() && !owner_->unfinished() && !(wake && *wake <= elapsed());
}

// In this order: the followers, then replies and effects.
void SimController::publish(cluster::Batch batch)
{
    if (replica_.sequence > truth_.sequence)
        broken("a follower is at group {}, and the journal ends with {}", replica_.sequence, truth_.sequence);
    if (!batch.group.events.empty())
        cluster::apply(replica_, batch.group);
    for (auto& advice : batch.advice) {
        if (advice.head)
            ++world_.count[fmt::format("reason: {}", advice.code)];
        board_[advice.partition] = std::move(advice);
    }
    maybe_snapshot();
    if (!batch.group.events.empty() && is_idle()) {
        ++world_.count["check: reasons of pending jobs"];
        check_reasons(replica_, board_);
    }
    for (auto& effect : batch.effects) {
        auto* reply = std::get_if<cluster::Reply>(&effect);
        if (reply && reply->token == begun) {
            serving_ = true;
        } else if (reply) {
            if (const auto* body = reply->body ? std::get_if<JobId>(&*reply->body) : nullptr; body && !replica_.find(*body))
                broken("job {} was acknowledged, and the replica does not know it", *body);
            outside_.reply(std::move(*reply));
        } else {
            outside_.to_node(std::move(effect));
        }
    }
}

// D1: what is in flight is void, the storage is reopened, and the owner goes on from what is really there. A start that meets
// this has failed, and whoever started the controller does so again.
void SimController::storage_failed()
{
    world_.say("an append fails, outcome unknown");
    if (!serving_) {
        end();
        world_.after(world_.between(1s, 5s), [this] { if (!up()) start(); });
        return;
    }
    ++life_;
    const auto reject = [this](const cluster::Effect& effect) {
        if (const auto* reply = std::get_if<cluster::Reply>(&effect))
            outside_.reply({reply->token, fail(Errc::unavailable, "outcome unknown")});
    };
    for (const auto& batch : undurable_)
        for (const auto& effect : batch.effects)
            reject(effect);
    undurable_.clear();
    inbox_.clear();
    auto state = read_storage();
    if (!(state == truth_))
        broken("after a failed append the storage holds another state than what is durable");
    replica_ = state;
    board_.clear();
    owner_.emplace(std::move(state));
    deciding_ = true;
    plan(world_.between(1s, 5s), &SimController::decide);
    plan(tick_interval, &SimController::tick);
}

void SimController::tick()
{
    queue(cluster::WallClock{wall()});
    if (const auto wake = cluster::next_wake(owner_->state()); wake && *wake <= elapsed())
        queue(cluster::TimePassed{});
    plan(tick_interval, &SimController::tick);
}

void SimController::maybe_snapshot()
{
    if (!world_.chance(0.0005))
        return;
    // Of the state as it is now; groups are journaled while it is written, and a crash meanwhile leaves nothing of it.
    world_.after(world_.between(1ms, 30s), [this, life = life_, state = std::make_shared<const cluster::State>(replica_)] {
        if (life == life_)
            write_snapshot(*state);
    });
}

void SimController::write_snapshot(const cluster::State& state)
{
    if (state.sequence.value < first_)
        return; // a later one was quicker
    ++world_.count["snapshot"];
    std::vector<std::string> pieces;
    auto written = journal::encode_snapshot(state, [&](std::string_view piece) {
        pieces.emplace_back(piece);
        return Result<void>{};
    });
    if (!written)
        broken("a snapshot cannot be written: {}", written.error().message);
    journal::SnapshotComparer comparer(state);
    for (const auto& piece : pieces)
        if (auto fed = comparer.feed(piece); !fed)
            broken("a snapshot of group {}: {}", state.sequence, fed.error().message);
    if (auto same = comparer.finish(); !same)
        broken("a snapshot of group {}: {}", state.sequence, same.error().message);
    snapshot_ = std::move(pieces);
    const auto keep = state.sequence.value + 1;
    journal_.erase(journal_.begin(), journal_.begin() + static_cast<std::ptrdiff_t>(keep - first_));
    first_ = keep;
    check_replay();
}

// The state that replay makes of what is stored. A full storage is opened again and again with the same bytes in it, which are
// replayed once. They are told apart by the journal: it only grows at its end, and every snapshot moves its beginning.
const cluster::State& SimController::read_storage()
{
    const std::pair contents(first_, journal_.size());
    if (!replayed_ || replayed_to_ != contents) {
        replayed_ = replay();
        replayed_to_ = contents;
    }
    return *replayed_;
}

cluster::State SimController::replay() const
{
    cluster::State state;
    if (!snapshot_.empty()) {
        journal::SnapshotReader reader;
        for (const auto& piece : snapshot_)
            if (auto fed = reader.feed(piece); !fed)
                broken("the snapshot cannot be read: {}", fed.error().message);
        auto read = reader.finish();
        if (!read)
            broken("the snapshot cannot be read: {}", read.error().message);
        state = std::move(*read);
    }
    for (const auto& bytes : journal_) {
        auto group = journal::decode_group(bytes);
        if (!group)
            broken("the journal cannot be read: {}", group.error().message);
        cluster::apply(state, *group);
    }
    return state;
}

void SimController::check_replay()
{
    if (!(read_storage() == truth_))
        broken("replay does not equal live at group {}", truth_.sequence);
    if (up() && undurable_.empty() && replica_.sequence == truth_.sequence && !(replica_ == truth_))
        broken("the replica does not equal what it follows at group {}", truth_.sequence);
    if (up() && undurable_.empty() && !(owner_->state() == truth_))
        broken("what the owner decides by does not equal what is durable at group {}", truth_.sequence);
}

void check_books(const cluster::State& state)
{
    std::vector<sched::FreeResources> free;
    for (const auto& node : state.nodes)
        free.push_back(node.registration ? sched::everything(node.registration->topology) : sched::FreeResources{});
    std::uint64_t active = 0;
    std::set<std::pair<NodeId, std::uint32_t>> devices;
    for (const auto& [id, job] : state.jobs) {
        active += !is_final(job->state);
        if (!holds_resources(job->state))
            continue;
        for (const auto& part : job->run->placement.nodes) {
            auto& left = free[part.node.value];
            if (!(part.cores - left.cores).empty())
                broken("job {} holds cores {} on node {}, of which some are another's", id, format_list(part.cores), part.node);
            sched::take(left, part);
            for (auto device : part.devices)
                if (!devices.emplace(part.node, device).second)
                    broken("job {} has device {} of node {}, which is another's", id, device, part.node);
            for (auto memory : left.memory)
                if (memory.bytes < 0)
                    broken("job {} takes memory on node {} that is another's", id, part.node);
            if (!state.nodes[part.node.value].jobs.contains(id))
                broken("node {} does not know that job {} is on it", part.node, id);
        }
    }
    for (const auto& node : state.nodes)
        if (node.registration && !(free[node.id.value] == node.free))
            broken("node {} counts {} cores free, and it is {}", node.name, node.free.cores.count(), free[node.id.value].cores.count());
    if (active != state.index.active_jobs)
        broken("{} jobs are pending or running, and {} are counted", active, state.index.active_jobs);
}

} // namespace jarvis::sim
