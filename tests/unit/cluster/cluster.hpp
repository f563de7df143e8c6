// A cluster in memory, to be told what happens: the owner's core, and nodes that say only what the test lets them say.
// After every step the state must be what replaying the events gives, and what a snapshot's reader would rebuild; and
// replay must take every event that was decided.
//
//     Cluster c(nodes(1), cores(4));
//     c.submit(job().tasks(3));
//     c.submit(job().tasks(2));
//     BOOST_TEST(c.running() == "1");
//     BOOST_TEST(c.cancel(alice, {1}) == "1 ok");
#pragma once

#include "cluster/owner.hpp"
#include "cluster/reasons.hpp"
#include "describe.hpp"

#include <initializer_list>
#include <map>

namespace jarvis::cluster::test {

using namespace std::chrono_literals;

inline const Caller alice{1001, "alice", Role::user};
inline const Caller bob{1002, "bob", Role::user};
inline const Caller otto{1100, "otto", Role::operator_};
inline const Caller root{0, "root", Role::admin};

// What one submit says. Its request id is another one each time, unless given.
class Submission {
    friend class Cluster;
    Caller caller_ = alice;
    JobRequest request_;
    std::optional<std::uint8_t> id_;
    std::uint8_t digest_ = 0;
    std::int64_t priority_ = 0;

public:
    Submission();
    Submission& by(const Caller& caller);
    Submission& tasks(std::uint32_t n) { request_.resources.tasks = n; return *this; }
    Submission& cpus(std::uint32_t n) { request_.resources.cpus_per_task = n; return *this; }
    Submission& memory(MemorySize size) { request_.resources.memory_per_node = size; return *this; }
    Submission& memory_per_cpu(MemorySize size) { request_.resources.memory_per_cpu = size; return *this; }
    Submission& wishes(PlacementWishes wishes) { request_.resources.wishes = std::move(wishes); return *this; }
    Submission& exclusive() { request_.resources.exclusive = true; return *this; }
    Submission& limit(std::optional<Duration> limit) { request_.time_limit = limit; return *this; }
    Submission& partition(std::string name) { request_.partition = std::move(name); return *this; }
    Submission& hold() { request_.hold = true; return *this; }
    Submission& begin(WallTime time) { request_.begin = time; return *this; }
    Submission& nice(std::int32_t nice) { request_.nice = nice; return *this; }
    Submission& priority(std::int64_t priority) { priority_ = priority; return *this; }
    Submission& nodes(std::uint32_t min, std::uint32_t max = 0) { request_.resources.nodes_min = min; request_.resources.nodes_max = max; return *this; }
    Submission& tasks_per_node(std::uint32_t n) { request_.resources.tasks_per_node = n; return *this; }
    Submission& contiguous() { request_.resources.contiguous = true; return *this; }
    Submission& constraint(std::string text) { request_.constraint = std::move(text); return *this; }
    Submission& node_list(std::vector<std::string> names) { request_.node_list = std::move(names); return *this; }
    Submission& exclude(std::vector<std::string> names) { request_.exclude = std::move(names); return *this; }
    Submission& groups(std::vector<std::uint32_t> gids) { auto account = *request_.account; account.groups = std::move(gids); request_.account = std::move(account); return *this; }
    Submission& named(std::string name) { request_.name = std::move(name); return *this; }
    Submission& array(const char* text);
    Submission& after(const char* text);   // --dependency
    Submission& kill_on_invalid() { request_.kill_on_invalid_dependency = true; return *this; }
    Submission& retry(const char* text);
    Submission& requeue() { request_.requeue = true; return *this; }
    Submission& request_id(std::uint8_t id) { id_ = id; return *this; }
    Submission& digest(std::uint8_t digest) { digest_ = digest; return *this; }
    const JobRequest& request() const { return request_; }
};
inline Submission job() { return {}; }

struct NodeCount { std::uint32_t n; };
struct CoreCount { std::uint32_t n; };
inline NodeCount nodes(std::uint32_t n) { return {n}; }
inline CoreCount cores(std::uint32_t n) { return {n}; }

// One partition, "batch", of nodes n1 .. nN, that asks for no confinement and has a default time of one hour.
Settings some_settings(NodeCount nodes);
PartitionSettings some_partition(std::string name, std::vector<std::string> nodes);
// One package and one NUMA node of 1 GiB a core.
Registration some_machine(CoreCount cores);

JobRef ref(const char* task, std::uint32_t incarnation = 1);
inline JobRef ref(std::uint64_t job, std::uint32_t incarnation = 1) { return {JobId{job}, Incarnation{incarnation}}; }
EndedOnNode ended(JobRef job, JobState state = JobState::completed, EndClass end_class = EndClass::none, std::string cause = {});

// A job by its number, or what people type: "7_3", "7_[1-4]".
struct Name {
    JobSelection selection;
    Name(std::uint64_t job) : selection{job, {}} {}
    Name(int job) : Name(static_cast<std::uint64_t>(job)) {}
    Name(const char* text);
    JobId id() const;
};
using Jobs = std::initializer_list<Name>;

class Cluster {
    Owner owner_{State{}};
    State replayed_;
    AdviceBoard board_;
    Token last_token_ = 0;
    std::uint64_t last_request_ = 0;
    SessionId last_session_ = 0;
    std::vector<Event> events_;
    int slices_ = 0;
    std::vector<Effect> effects_;

    void check() const;
    void keep(Batch batch);

public:
    // All nodes are registered, and nothing runs.
    Cluster(NodeCount nodes, CoreCount cores);
    // No node is registered.
    explicit Cluster(Settings settings);

    Instant now{};
    std::map<std::string, Registration> machines; // what join() says of a node
    bool may_start = true;                        // false: as in the storage's reserve

    // One batch, and the pass to its end.
    void run(std::vector<Command> commands);
    void run(Command command) { run(std::vector<Command>{std::move(command)}); }
    // The command's token is filled in; returns what was answered to it.
    std::string ask(Command command);

    const State& state() const { return owner_.state(); }
    const Owner& owner() const { return owner_; }
    const AdviceBoard& board() const { return board_; }
    const Job& at(const Name& job) const { return *state().jobs.at(job.id()); }
    const ArrayProgress& array(std::uint64_t job) const { return state().arrays.at(job); }
    const Node& node(std::string_view name) const { return *state().find_node(name); }
    std::string events() const { return describe(state(), events_); }   // of the last run
    std::string effects() const { return describe(state(), effects_); } // of the last run, but for replies
    int slices() const { return slices_; }                              // of the last run
    std::size_t event_count() const { return events_.size(); }
    std::string running() const;                                        // "1 3"
    std::string reason(Name job) const;                        // "Held: held by alice"

    Command command(const Submission& submission);
    std::string submit(const Submission& submission) { return ask(command(submission)); }
    std::string cancel(const Caller& caller, Jobs jobs);
    std::string signal(const Caller& caller, Jobs jobs, int signal, bool batch_only = false);
    std::string hold(const Caller& caller, Jobs jobs);
    std::string release(const Caller& caller, Jobs jobs);
    std::string requeue(const Caller& caller, Jobs jobs);
    std::string suspend(const Caller& caller, Jobs jobs);
    std::string go_on(const Caller& caller, Jobs jobs);
    std::string drain(const Caller& caller, std::vector<std::string> nodes, std::string reason);
    std::string resume(const Caller& caller, std::vector<std::string> nodes);
    std::string down(const Caller& caller, std::vector<std::string> nodes, std::string reason, bool confirmed = false);
    std::string configure(Settings settings);

    void join_all(CoreCount cores);                                     // every declared node, such a machine
    bool join_certified(const std::string& node);                       // by its certificate; true: it was welcome
    void join(const std::string& node, NodeReport report = {});
    void report(const std::string& node, NodeReport report);            // all that the node knows
    void report_end(const std::string& node, EndedOnNode end);          // one end, at once
    void report_steps(const std::string& node, JobRef job, std::uint64_t first, std::vector<StepEnd> steps);
    void report_prepared(const std::string& node, JobRef job);          // at once
    void lose(const std::string& node) { run(NodeDisconnected{node}); }
    void pass(Duration duration);                                       // and what is due is done
    void set_wall(WallTime wall) { run(WallClock{wall}); }
    void restart();                                                     // the controller, at once, by the same clocks
    WallTime wall() const { return state().wall(now); }
};

} // namespace jarvis::cluster::test
