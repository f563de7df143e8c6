#include "cluster.hpp"

#include "cluster/apply.hpp"
#include "cluster/submit.hpp"
#include "journal/codec.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

namespace jarvis::cluster::test {

namespace {

// 2027-01-15, at elapsed time 0.
constexpr WallTime first_wall{1'800'000'000s};

std::vector<JobSelection> selections(const Jobs& jobs)
{
    std::vector<JobSelection> list;
    for (const auto& job : jobs)
        list.push_back(job.selection);
    return list;
}

void set_token(Command& command, Token token)
{
    std::visit(
        [token](auto& c) {
            if constexpr (requires { c.token; })
                c.token = token;
        },
        command);
}

} // namespace

Submission::Submission()
{
    request_.name = "job";
    request_.working_directory = "/";
    by(alice);
}

Name::Name(const char* text)
{
    auto parsed = parse_job_selection(text);
    BOOST_REQUIRE_MESSAGE(parsed, parsed.error().message);
    selection = std::move(*parsed);
}

JobId Name::id() const
{
    return selection.tasks ? JobId{selection.job, selection.tasks->first()} : JobId{selection.job};
}

Submission& Submission::array(const char* text)
{
    auto spec = parse_array_spec(text);
    BOOST_REQUIRE_MESSAGE(spec, spec.error().message);
    request_.array = std::move(*spec);
    return *this;
}

Submission& Submission::after(const char* text)
{
    auto dependencies = parse_dependencies(text);
    BOOST_REQUIRE_MESSAGE(dependencies, dependencies.error().message);
    request_.dependencies = std::move(*dependencies);
    return *this;
}

Submission& Submission::retry(const char* text)
{
    auto rule = parse_retry(text);
    BOOST_REQUIRE_MESSAGE(rule, rule.error().message);
    request_.retry = std::move(*rule);
    return *this;
}

Submission& Submission::by(const Caller& caller)
{
    caller_ = caller;
    request_.account = Account{.uid = caller.uid, .gid = 100, .groups = {}, .user = caller.user, .group = "users", .home = "/", .shell = "/bin/sh"};
    return *this;
}

PartitionSettings some_partition(std::string name, std::vector<std::string> nodes)
{
    PartitionSettings partition;
    partition.name = std::move(name);
    partition.nodes = std::move(nodes);
    partition.default_time = 1h;
    partition.confinement = Confinement::none;
    return partition;
}

Settings some_settings(NodeCount nodes)
{
    Settings settings;
    for (std::uint32_t i = 1; i <= nodes.n; ++i)
        settings.nodes.push_back(fmt::format("n{}", i));
    settings.partitions = {some_partition("batch", settings.nodes)};
    settings.partitions[0].is_default = true;
    return settings;
}

Registration some_machine(CoreCount cores)
{
    Registration machine{.boot_id = "boot-1", .topology = {}, .capabilities = {}, .version = "test", .notes = {}};
    for (std::uint32_t i = 0; i < cores.n; ++i)
        machine.topology.cores.push_back({.pus = {i}, .package = 0});
    machine.topology.numa_nodes = {{.os_index = 0, .memory = mebibytes(1024) * cores.n, .cores = CoreSet::range(0, cores.n)}};
    return machine;
}

JobRef ref(const char* task, std::uint32_t incarnation) { return {Name(task).id(), Incarnation{incarnation}}; }

EndedOnNode ended(JobRef job, JobState state, EndClass end_class, std::string cause)
{
    return {job, {.state = state, .end_class = end_class, .exit_code = 0, .signal = 0, .cause = std::move(cause)}, {}};
}

Cluster::Cluster(Settings settings)
{
    run({CreateCluster{.uuid = {1}, .name = "test"}, StartController{first_wall, {"controller-boot", Duration{}}}, Configure{std::move(settings)}});
}

Cluster::Cluster(NodeCount node_count, CoreCount core_count) : Cluster(some_settings(node_count))
{
    join_all(core_count);
}

void Cluster::keep(Batch batch)
{
    for (const auto& event : batch.group.events) {
        // A restart would refuse the whole journal for the sake of this event.
        const auto fits = journal::check_event(replayed_, event);
        BOOST_REQUIRE_MESSAGE(fits, "decided, and refused on replay: " << fits.error().message);
        apply(replayed_, event, batch.group.at);
    }
    if (!batch.group.events.empty())
        replayed_.sequence = batch.group.sequence;
    std::move(batch.group.events.begin(), batch.group.events.end(), std::back_inserter(events_));
    std::move(batch.effects.begin(), batch.effects.end(), std::back_inserter(effects_));
    for (auto& advice : batch.advice)
        board_[advice.partition] = std::move(advice);
}

void Cluster::check() const
{
    BOOST_REQUIRE_MESSAGE(replayed_ == state(), "replay does not give the live state after: " << events());
    auto rebuilt = state();
    rebuild_derived(rebuilt);
    BOOST_REQUIRE_MESSAGE(rebuilt == state(), "what is derived is not what a rebuild gives after: " << events());
}

void Cluster::run(std::vector<Command> commands)
{
    events_.clear();
    effects_.clear();
    keep(owner_.run(commands, now, may_start));
    slices_ = 1;
    for (int slices = 0; may_start && owner_.unfinished(); ++slices) {
        BOOST_REQUIRE_MESSAGE(slices < 1000, "the pass does not end");
        keep(owner_.run({}, now));
        ++slices_;
    }
    check();
}

std::string Cluster::ask(Command command)
{
    const auto token = ++last_token_;
    set_token(command, token);
    run(std::move(command));
    for (const auto& effect : effects_)
        if (const auto* reply = std::get_if<Reply>(&effect); reply && reply->token == token)
            return describe(reply->body);
    return "no answer";
}

std::string Cluster::running() const
{
    std::string text;
    for (const auto& [id, job] : state().jobs)
        if (holds_resources(job->state))
            text += fmt::format("{}{}", text.empty() ? "" : " ", id);
    return text;
}

std::string Cluster::reason(Name id) const
{
    const auto reason = wait_reason(state(), board_, at(id));
    return fmt::format("{}: {}", reason.code, reason.text);
}

Command Cluster::command(const Submission& submission)
{
    SubmitJob command;
    command.caller = submission.caller_;
    command.request_id.uid = submission.caller_.uid;
    // A chosen id has a 1 behind its number; the others count.
    const auto number = submission.id_ ? std::uint64_t{*submission.id_} : ++last_request_;
    for (int byte = 0; byte < 8; ++byte)
        command.request_id.id[static_cast<std::size_t>(byte)] = static_cast<std::uint8_t>(number >> (8 * byte));
    command.request_id.id[15] = submission.id_ ? 1 : 0;
    command.digest.fill(submission.digest_);
    command.verdict.priority = submission.priority_;
    auto prepared = prepare_request(state().settings, submission.request_);
    BOOST_REQUIRE_MESSAGE(prepared, prepared.error().message);
    command.request = std::make_shared<const JobRequest>(std::move(*prepared));
    return command;
}

std::string Cluster::cancel(const Caller& caller, Jobs jobs) { return ask(CancelJobs{0, caller, selections(jobs)}); }
std::string Cluster::signal(const Caller& caller, Jobs jobs, int signal, bool batch_only)
{
    return ask(SignalJobs{0, caller, selections(jobs), signal, batch_only});
}
std::string Cluster::hold(const Caller& caller, Jobs jobs) { return ask(HoldJobs{0, caller, selections(jobs)}); }
std::string Cluster::suspend(const Caller& caller, Jobs jobs) { return ask(SuspendJobs{0, caller, selections(jobs)}); }
std::string Cluster::go_on(const Caller& caller, Jobs jobs) { return ask(ResumeJobs{0, caller, selections(jobs)}); }
std::string Cluster::release(const Caller& caller, Jobs jobs) { return ask(ReleaseJobs{0, caller, selections(jobs)}); }
std::string Cluster::drain(const Caller& caller, std::vector<std::string> names, std::string why)
{
    return ask(DrainNodes{0, caller, std::move(names), std::move(why)});
}
std::string Cluster::resume(const Caller& caller, std::vector<std::string> names)
{
    return ask(ResumeNodes{0, caller, std::move(names)});
}
std::string Cluster::down(const Caller& caller, std::vector<std::string> names, std::string why, bool confirmed)
{
    return ask(DownNodes{0, caller, std::move(names), std::move(why), confirmed});
}
std::string Cluster::requeue(const Caller& caller, Jobs jobs) { return ask(RequeueJobs{0, caller, selections(jobs)}); }
std::string Cluster::configure(Settings settings) { return ask(Configure{std::move(settings)}); }

void Cluster::join(const std::string& name, NodeReport report)
{
    run(RegisterNode{++last_session_, name, machines[name], std::move(report)});
}

void Cluster::join_all(CoreCount core_count)
{
    for (const auto& name : std::vector<std::string>(state().settings.nodes)) {
        machines[name] = some_machine(core_count);
        join(name);
    }
}

bool Cluster::join_certified(const std::string& name)
{
    run(RegisterNode{++last_session_, name, machines[name], {}, true});
    return std::ranges::any_of(effects_, [](const Effect& effect) { return std::holds_alternative<WelcomeNode>(effect); });
}

void Cluster::report_prepared(const std::string& name, JobRef job)
{
    run(NodeReported{node(name).id, {.running = {}, .ended = {}, .prepared = {job}}, false});
}

void Cluster::report(const std::string& name, NodeReport report)
{
    run(NodeReported{node(name).id, std::move(report), true});
}

void Cluster::report_steps(const std::string& name, JobRef job, std::uint64_t first, std::vector<StepEnd> steps)
{
    run(StepsReported{node(name).id, job, first, std::move(steps)});
}

void Cluster::report_end(const std::string& name, EndedOnNode end)
{
    run(NodeReported{node(name).id, {.running = {}, .ended = {std::move(end)}}, false});
}

void Cluster::pass(Duration duration)
{
    now += duration;
    run(TimePassed{});
}

void Cluster::restart()
{
    owner_ = Owner(replayed_);
    board_.clear();
    run(StartController{wall(), state().clock});
}

} // namespace jarvis::cluster::test
