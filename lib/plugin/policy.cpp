#include "plugin/policy.hpp"

#include <cassert>

namespace jarvis::plugin {

namespace {

// 2^53: what is larger cannot be meant, and everything below fits our types after a check of its own.
constexpr std::int64_t largest = std::int64_t{1} << 53;

std::optional<std::int64_t> request_integer(const JobRequest& request, std::uint32_t field)
{
    const ResourceRequest& resources = request.resources;
    switch (field) {
    case JARVIS_JOB_UID:
        return request.account->uid;
    case JARVIS_JOB_GID:
        return request.account->gid;
    case JARVIS_JOB_TASKS:
        return resources.tasks;
    case JARVIS_JOB_CPUS_PER_TASK:
        return resources.cpus_per_task;
    case JARVIS_JOB_MEMORY_PER_NODE:
        return resources.memory_per_node ? std::optional(resources.memory_per_node->bytes) : std::nullopt;
    case JARVIS_JOB_MEMORY_PER_CPU:
        return resources.memory_per_cpu ? std::optional(resources.memory_per_cpu->bytes) : std::nullopt;
    case JARVIS_JOB_EXCLUSIVE:
        return resources.exclusive;
    case JARVIS_JOB_TIME_LIMIT_US:
        return request.time_limit ? std::optional(request.time_limit->count()) : std::nullopt;
    case JARVIS_JOB_NICE:
        return request.nice;
    case JARVIS_JOB_HOLD:
        return request.hold;
    case JARVIS_JOB_REQUEUE:
        return request.requeue;
    case JARVIS_JOB_SCRIPT_SIZE:
        return static_cast<std::int64_t>(request.script_size);
    default:
        return {};
    }
}

// Of the texts, those that a verdict may change. False: this one may not be.
bool change_text(JobRequest& request, std::uint32_t field, std::string text)
{
    switch (field) {
    case JARVIS_JOB_NAME:
        request.name = std::move(text);
        return true;
    case JARVIS_JOB_PARTITION:
        request.partition = std::move(text);
        return true;
    case JARVIS_JOB_COMMENT:
        request.comment = std::move(text);
        return true;
    default:
        return false;
    }
}

std::optional<jarvis_bytes> request_text(const JobRequest& request, std::uint32_t field)
{
    const auto bytes = [](const std::string& text) { return jarvis_bytes{text.data(), text.size()}; };
    switch (field) {
    case JARVIS_JOB_USER:
        return bytes(request.account->user);
    case JARVIS_JOB_GROUP:
        return bytes(request.account->group);
    case JARVIS_JOB_NAME:
        return bytes(request.name);
    case JARVIS_JOB_PARTITION:
        return bytes(*request.partition);
    case JARVIS_JOB_COMMENT:
        return bytes(*request.comment);
    case JARVIS_JOB_SUBMIT_HOST:
        return bytes(*request.submit_host);
    case JARVIS_JOB_WORKING_DIRECTORY:
        return bytes(*request.working_directory);
    default:
        return {};
    }
}

// What every getter answers: a value, or that there is none.
template <class Found, class Value>
std::int32_t answer(const Found& found, Value& value)
{
    if (!found)
        return JARVIS_NOT_FOUND;
    value = *found;
    return JARVIS_OK;
}

template <class Member, class Value>
std::int32_t store(bool valid, Member& member, Value value)
{
    if (!valid)
        return JARVIS_INVALID;
    member = static_cast<Member>(value);
    return JARVIS_OK;
}

// At most one of the two memory fields is set.
std::int32_t store_memory(bool valid, std::optional<MemorySize>& member, std::optional<MemorySize>& other,
                          std::int64_t bytes)
{
    if (!valid)
        return JARVIS_INVALID;
    member = MemorySize{bytes};
    other.reset();
    return JARVIS_OK;
}

// Only the range of each field is looked at here; the core checks a changed request like any other.
std::int32_t set_request_integer(JobRequest& request, std::uint32_t field, std::int64_t value)
{
    ResourceRequest& resources = request.resources;
    const bool is_count = value >= 1 && value <= UINT32_MAX;
    const bool is_size = value >= 0 && value <= largest;
    const bool is_flag = value == 0 || value == 1;
    switch (field) {
    case JARVIS_JOB_TASKS:
        return store(is_count, resources.tasks, value);
    case JARVIS_JOB_CPUS_PER_TASK:
        return store(is_count, resources.cpus_per_task, value);
    case JARVIS_JOB_MEMORY_PER_NODE:
        return store_memory(is_size, resources.memory_per_node, resources.memory_per_cpu, value);
    case JARVIS_JOB_MEMORY_PER_CPU:
        return store_memory(is_size, resources.memory_per_cpu, resources.memory_per_node, value);
    case JARVIS_JOB_EXCLUSIVE:
        return store(is_flag, resources.exclusive, value);
    case JARVIS_JOB_TIME_LIMIT_US:
        return store(is_size && value > 0, request.time_limit, Duration(value));
    case JARVIS_JOB_NICE:
        return store(value >= INT32_MIN && value <= INT32_MAX, request.nice, value);
    case JARVIS_JOB_HOLD:
        return store(is_flag, request.hold, value);
    case JARVIS_JOB_REQUEUE:
        return store(is_flag, request.requeue, value);
    default:
        return JARVIS_DENIED;
    }
}

// The one job of a submit, as the getters see it. Its functions answer for index 0, the only one there is.
struct Submit {
    JobRequest& request;

    static JobRequest& of(void* context) { return static_cast<Submit*>(context)->request; }
    static std::int32_t integer(void* context, std::uint32_t index, std::uint32_t field, std::int64_t* value)
    {
        return index == 0 ? answer(request_integer(of(context), field), *value) : JARVIS_INVALID;
    }
    static std::int32_t text(void* context, std::uint32_t index, std::uint32_t field, jarvis_bytes* value)
    {
        return index == 0 ? answer(request_text(of(context), field), *value) : JARVIS_INVALID;
    }
    static std::int32_t set_integer(void* context, std::uint32_t index, std::uint32_t field, std::int64_t value)
    {
        return index == 0 ? set_request_integer(of(context), field, value) : JARVIS_INVALID;
    }
    static std::int32_t set_text(void* context, std::uint32_t index, std::uint32_t field, const void* data,
                                 std::uint64_t size)
    {
        if (index != 0 || size > 4096) // far above what the core takes of any of them
            return JARVIS_INVALID;
        return change_text(of(context), field, {static_cast<const char*>(data), size}) ? JARVIS_OK : JARVIS_DENIED;
    }
};

struct Batch {
    std::span<const PriorityJob> jobs;

    static const PriorityJob* job(void* context, std::uint32_t index)
    {
        const auto& jobs = static_cast<Batch*>(context)->jobs;
        return index < jobs.size() ? &jobs[index] : nullptr;
    }
    static std::optional<std::int64_t> find(const PriorityJob& job, std::uint32_t field)
    {
        switch (field) {
        case JARVIS_JOB_ID:
            return static_cast<std::int64_t>(job.id.value);
        case JARVIS_JOB_WAITING_US:
            return job.waiting.count();
        case JARVIS_JOB_PRIORITY:
            return job.priority;
        default:
            return request_integer(*job.request, field);
        }
    }
    static std::int32_t integer(void* context, std::uint32_t index, std::uint32_t field, std::int64_t* value)
    {
        const PriorityJob* found = job(context, index);
        return found ? answer(find(*found, field), *value) : JARVIS_INVALID;
    }
    static std::int32_t text(void* context, std::uint32_t index, std::uint32_t field, jarvis_bytes* value)
    {
        const PriorityJob* found = job(context, index);
        return found ? answer(request_text(*found->request, field), *value) : JARVIS_INVALID;
    }
};

} // namespace

Policy::Policy(Loaded<jarvis_policy> plugin, std::unique_ptr<OpenArguments> arguments)
    : plugin_(std::move(plugin)), arguments_(std::move(arguments))
{}

Result<std::unique_ptr<Policy>> Policy::open(const Source& source)
{
    constexpr std::size_t needed =
        offsetof(jarvis_policy, close) + sizeof(jarvis_policy::close); // the rest is optional
    auto plugin = load<jarvis_policy>(source.file, "policy", needed);
    if (!plugin)
        return std::unexpected(plugin.error());
    if (!plugin->table.open || !plugin->table.close)
        return fail(Errc::invalid, "plugin {}: its table lacks a function that every policy has", source.file);
    auto arguments = open_arguments(*plugin->header, source);
    if (!arguments)
        return std::unexpected(arguments.error());
    std::unique_ptr<Policy> policy(new Policy(std::move(*plugin), std::move(*arguments)));
    ErrorBuffer error;
    void* state = nullptr;
    if (const auto code = policy->plugin_.table.open(policy->arguments_->get(), &state, error.data(), error.size());
        code != JARVIS_OK)
        return fail(error.error(code), "policy plugin {}", policy->name());
    policy->state_ = state;
    const auto ask = policy->plugin_.table.queue_order;
    if (const std::uint32_t order = ask ? ask(state) : std::uint32_t{JARVIS_ORDER_STRICT_FIFO};
        order != JARVIS_ORDER_STRICT_FIFO)
        return fail(Errc::invalid, "policy plugin {}: chooses queue order {}, which this Jarvis does not have",
                    policy->name(), order);
    return policy;
}

Policy::~Policy()
{
    if (state_)
        plugin_.table.close(state_);
}

QueueOrder Policy::queue_order() const
{
    return QueueOrder::strict_fifo; // open() refuses every other
}

Result<Verdict> Policy::submit(JobRequest& request) const
{
    if (!has_submit())
        return Verdict{};
    JobRequest changed = request; // a verdict that is not CHANGE changes nothing
    Submit submit{changed};
    jarvis_jobs jobs{};
    jobs.struct_size = sizeof jobs;
    jobs.count = 1;
    jobs.context = &submit;
    jobs.integer = Submit::integer;
    jobs.text = Submit::text;
    jobs.set_integer = Submit::set_integer;
    jobs.set_text = Submit::set_text;
    ErrorBuffer text;
    std::uint32_t verdict = JARVIS_ACCEPT;
    if (const auto code = plugin_.table.submit(state_, &jobs, &verdict, text.data(), text.size()); code != JARVIS_OK)
        return fail(text.error(code), "policy plugin {}", name());
    if (verdict > JARVIS_REFUSE)
        return fail(Errc::unavailable, "policy plugin {}: gave verdict {}, which this Jarvis does not know", name(),
                    verdict);
    if (verdict == JARVIS_CHANGE)
        request = std::move(changed);
    return Verdict{static_cast<Verdict::Kind>(verdict), std::string(text.text())};
}

Result<std::vector<std::int64_t>> Policy::priority(std::span<const PriorityJob> jobs) const
{
    std::vector<std::int64_t> numbers(jobs.size(), 0);
    if (!has_priority() || jobs.empty())
        return numbers;
    Batch batch{jobs};
    jarvis_jobs c{};
    c.struct_size = sizeof c;
    c.count = static_cast<std::uint32_t>(jobs.size());
    c.context = &batch;
    c.integer = Batch::integer;
    c.text = Batch::text;
    ErrorBuffer error;
    if (const auto code = plugin_.table.priority(state_, &c, numbers.data(), error.data(), error.size());
        code != JARVIS_OK)
        return fail(error.error(code), "policy plugin {}", name());
    return numbers;
}

} // namespace jarvis::plugin
