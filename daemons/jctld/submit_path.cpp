#include "submit_path.hpp"

#include "base/units.hpp"
#include "cluster/authorize.hpp"
#include "cluster/submit.hpp"
#include "daemon/deadline.hpp"
#include "daemon/off_loop.hpp"
#include "digest.hpp"
#include "model/output_pattern.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"

namespace jarvis::jctld {

namespace {

constexpr auto policy_deadline = std::chrono::seconds(5);
// Scripts and environments of submits that wait for the disk.
constexpr std::size_t max_pinned_bytes = std::size_t{512} << 20;
// The clock of a client that gives no age may be ahead by so much.
constexpr auto clock_tolerance = std::chrono::minutes(5);

// The commands check the same before they ask; other clients hear it here.
Result<void> check_script(std::string_view script, const config::Limits& limits)
{
    if (script.empty())
        return fail(Errc::invalid, "the script is empty");
    if (script.size() > static_cast<std::size_t>(limits.script_size.bytes))
        return fail(Errc::invalid, "the script has {} bytes; the limit is {} (script_size in [limits])", script.size(),
                    format_memory_size(limits.script_size));
    if (!script.starts_with("#!"))
        return fail(Errc::invalid, "the script does not begin with #! and an interpreter, such as #!/bin/sh");
    if (script.find('\0') != std::string_view::npos)
        return fail(Errc::invalid, "the script holds a NUL byte: it is no text");
    const auto line = script.substr(0, script.find('\n'));
    if (line.ends_with('\r'))
        return fail(Errc::invalid, "the script has CRLF line ends; convert it, for instance with dos2unix");
    return {};
}

Result<void> check_environment(const wire::Environment& environment, const config::Limits& limits)
{
    const auto size = environment.ByteSizeLong();
    if (size > static_cast<std::size_t>(limits.environment_size.bytes))
        return fail(Errc::invalid, "the environment has {} bytes; the limit is {} (environment_size in [limits]); export less with --export",
                    size, format_memory_size(limits.environment_size));
    return wire::check_environment(environment);
}

Result<void> check_patterns(const JobRequest& request)
{
    for (const auto& [option, pattern] : {std::pair("--output", &*request.output), {"--error", &*request.error}, {"--input", &*request.input}})
        if (auto checked = check_output_pattern(*pattern); !checked)
            return fail(checked.error(), "{}", option);
    return {};
}

Result<void> check_arguments(const JobRequest& request, const config::Limits& limits)
{
    std::size_t size = 0;
    for (const auto& argument : *request.arguments)
        size += argument.size() + 1;
    if (size > static_cast<std::size_t>(limits.arguments_size.bytes))
        return fail(Errc::invalid, "the script's arguments have {} bytes; the limit is {} (arguments_size in [limits])", size,
                    format_memory_size(limits.arguments_size));
    return {};
}

// Refuses an id that may be older than the memory of those that were taken.
Result<void> check_age(const wire::Submit& submit, Duration window)
{
    if (submit.has_age_us() && submit.age_us() < 0)
        return fail(Errc::invalid, "the age of a request id is negative: {} us", submit.age_us());
    const auto now = wall_now();
    const WallTime made{Duration(submit.made_us())};
    if (submit.has_age_us() ? Duration(submit.age_us()) > window : made < now - window)
        return fail(Errc::invalid, "this request id is too old to be recognised; look with jq --request ID whether the job exists");
    if (!submit.has_age_us() && made > now + clock_tolerance)
        return fail(Errc::invalid, "this request id was made in the future: the client's clock is ahead of the controller's");
    return {};
}

Result<cluster::RequestId> request_id(const wire::Submit& submit, std::uint32_t uid, Duration window)
{
    if (submit.request_id().size() != 16)
        return fail(Errc::invalid, "a submit needs a request id of 16 bytes");
    if (auto checked = check_age(submit, window); !checked)
        return std::unexpected(checked.error());
    cluster::RequestId id{.uid = uid, .id = {}};
    std::copy(submit.request_id().begin(), submit.request_id().end(), id.id.begin());
    return id;
}

// The same content gives the same digest, whatever the controller adds to it.
cluster::RequestDigest digest_of(const wire::Submit& submit, const BlobHash& script, const BlobHash& environment)
{
    auto bytes = submit.job().SerializeAsString();
    bytes.append(script.begin(), script.end());
    bytes.append(environment.begin(), environment.end());
    const auto whole = sha256(bytes);
    cluster::RequestDigest digest;
    std::copy_n(whole.begin(), digest.size(), digest.begin());
    return digest;
}

// The policy plugin's word, in the pool and with a deadline.
struct PolicyAnswer {
    JobRequest request;
    plugin::Verdict verdict;
    std::int64_t priority = 0;
};
asio::awaitable<Result<PolicyAnswer>> ask_policy(Front& front, JobRequest request)
{
    auto& policy = front.parts().policy;
    PolicyAnswer answer{.request = std::move(request), .verdict = {}, .priority = 0};
    if (!policy.has_submit() && !policy.has_priority())
        co_return answer;
    // Shared with the pool: a plugin that is late still writes into something that lives.
    auto shared = std::make_shared<PolicyAnswer>(std::move(answer));
    auto slot = std::make_shared<OneShot<Result<void>>>(front.executor());
    asio::post(front.parts().pool, [&policy, shared, slot, executor = front.executor()] {
        Result<void> done;
        if (policy.has_submit()) {
            auto verdict = policy.submit(shared->request);
            if (verdict)
                shared->verdict = std::move(*verdict);
            else
                done = std::unexpected(verdict.error());
        }
        if (done && policy.has_priority()) {
            const plugin::PriorityJob job{.id = {}, .request = &shared->request, .waiting = {}, .priority = 0};
            auto numbers = policy.priority(std::span(&job, 1));
            if (numbers)
                shared->priority = numbers->front();
            else
                done = std::unexpected(numbers.error());
        }
        asio::post(executor, [slot, done = std::move(done)]() mutable { slot->set(std::move(done)); });
    });
    auto wait = [](std::shared_ptr<OneShot<Result<void>>> waiting) -> asio::awaitable<Result<void>> {
        auto done = co_await waiting->wait();
        co_return done ? std::move(*done) : fail(Errc::unavailable, "cancelled");
    };
    auto done = co_await daemon::within(policy_deadline, "the policy plugin", wait(slot));
    if (!done)
        co_return std::unexpected(done.error());
    if (shared->verdict.kind == plugin::Verdict::Kind::refuse)
        co_return fail(Errc::denied, "the site's policy refuses this job: {}", shared->verdict.text);
    co_return std::move(*shared);
}

// Keeps script and environment in memory until the owner has answered.
class Pinned {
    BlobCache& blobs_;
    BlobHash script_, environment_;

public:
    Pinned(BlobCache& blobs, const JobRequest& request, std::string script, std::string environment)
        : blobs_(blobs), script_(*request.script), environment_(*request.environment)
    {
        blobs_.pin(script_, std::move(script));
        blobs_.pin(environment_, std::move(environment));
    }
    Pinned(const Pinned&) = delete;
    ~Pinned()
    {
        blobs_.unpin(script_);
        blobs_.unpin(environment_);
    }
};

Result<void> check_submit(const wire::Submit& submit, const JobRequest& request, const config::Config& config)
{
    if (auto script = check_script(submit.script(), config.limits); !script)
        return script;
    if (auto environment = check_environment(submit.environment(), config.limits); !environment)
        return environment;
    if (auto patterns = check_patterns(request); !patterns)
        return patterns;
    return check_arguments(request, config.limits);
}

wire::Reply reply_of(wire::SubmitReply body, SequenceNumber sequence, const plugin::Verdict& verdict)
{
    if (!verdict.text.empty())
        body.add_warnings(verdict.text);
    wire::Reply reply;
    reply.set_sequence(sequence.value);
    *reply.mutable_submit() = std::move(body);
    return reply;
}

} // namespace

asio::awaitable<Result<wire::Reply>> take_submit(Front& front, cluster::Caller caller, wire::Submit submit)
{
    if (const auto only = front.roles().only_uid(); only && *only != caller.uid)
        co_return fail(Errc::denied, "this is the personal cluster of uid {}; only they can submit here", *only);
    auto submitted = wire::submitted_request(submit.job());
    if (!submitted)
        co_return std::unexpected(submitted.error());
    auto id = request_id(submit, caller.uid, std::max<Duration>(front.settings()->keep_ended, std::chrono::hours(1)));
    if (!id && !submit.test_only())
        co_return std::unexpected(id.error());
    if (auto checked = check_submit(submit, submitted->request, front.config()); !checked)
        co_return std::unexpected(checked.error());
    auto account = co_await front.parts().accounts.account(caller.uid);
    if (!account)
        co_return std::unexpected(account.error());

    auto request = std::move(submitted->request);
    request.account = std::move(*account);
    request.requeue = submitted->requeue.value_or(false);
    auto environment = submit.environment().SerializeAsString();
    request.script = sha256(submit.script());
    request.script_size = submit.script().size();
    request.environment = sha256(environment);
    const auto digest = digest_of(submit, *request.script, *request.environment);

    auto policy = co_await ask_policy(front, std::move(request));
    if (!policy)
        co_return std::unexpected(policy.error());
    auto prepared = cluster::prepare_request(*front.settings(), std::move(policy->request));
    if (!prepared)
        co_return std::unexpected(prepared.error());
    // What replay could not read again must not become a job, whatever a site's limits, policy and name service say.
    if (auto readable = wire::from_message(wire::to_message(*prepared)); !readable)
        co_return std::unexpected(readable.error());
    if (submit.test_only()) {
        if (auto allowed = cluster::may_submit(caller, *prepared); !allowed)
            co_return std::unexpected(allowed.error());
        auto collect = [request = *prepared](const Replica& replica) -> Result<wire::SubmitReply> {
            if (auto checked = cluster::check_request(replica.state(), request); !checked)
                return std::unexpected(checked.error());
            return test_submit(replica, request);
        };
        auto tested = co_await front.ask(std::move(collect));
        if (!tested || !*tested)
            co_return std::unexpected(tested ? tested->error() : tested.error());
        co_return reply_of(std::move(**tested), {}, policy->verdict);
    }

    if (front.parts().blobs.pinned_bytes() > max_pinned_bytes)
        co_return fail(Errc::unavailable, "the controller is busy: too many large scripts wait for the disk; try again");
    auto pinned = std::make_shared<Pinned>(front.parts().blobs, *prepared, std::move(*submit.mutable_script()), std::move(environment));
    // Made first: g++ 12 destroys braced temporaries of a co_await expression twice.
    cluster::Command command = cluster::SubmitJob{.token = 0, .caller = std::move(caller), .request_id = *id, .digest = digest,
                                                  .request = std::make_shared<const JobRequest>(std::move(*prepared)),
                                                  .verdict = {policy->priority}};
    auto answer = co_await front.decide(std::move(command), std::move(pinned));
    if (!answer.body)
        co_return std::unexpected(answer.body.error());
    wire::SubmitReply body;
    body.set_job_id(std::get<JobId>(*answer.body).value);
    co_return reply_of(std::move(body), answer.sequence, policy->verdict);
}

} // namespace jarvis::jctld
