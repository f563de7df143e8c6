// Requests: what a job asks for, and as whom.
#include "wire/convert.hpp"

#include "base/hostlist.hpp"
#include "model/constraint.hpp"
#include "wire/limits.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>

namespace jarvis::wire {

namespace {

// What can be said of a request's text at a glance: which field, how long, and whether it is a name.
struct TextField {
    std::string_view text;
    std::size_t limit;
    std::string_view field;
    bool is_name;
};

std::array<TextField, 11> text_fields(const JobRequest& request)
{
    return {{{request.name(), limits::name, "job name", true},
            {request.partition(), limits::name, "partition", true},
            {request.working_directory(), limits::path, "working directory", false},
            {request.output(), limits::path, "output path", false},
            {request.error(), limits::path, "error path", false},
            {request.input(), limits::path, "input path", false},
            {request.comment(), limits::comment, "comment", false},
            {request.mail_type(), limits::name, "mail type", true},
            {request.mail_user(), limits::name, "mail user", true},
            {request.submit_host(), limits::name, "submit host", true},
            {request.submit_directory(), limits::path, "submit directory", false}}};
}

// Most requests are like the one before it on their thread: what is the same is found without looking for it among all that are kept.
template <class Kept>
class Recent {
    Kept last_;

public:
    template <class Value>
    Kept operator()(const Value& value)
    {
        if (!(*last_ == value))
            last_ = value;
        return last_;
    }
};
struct RecentTexts {
    Recent<InternedText> partition, output, error, input, comment, mail_type, mail_user, submit_host;
};

bool says(const Account& message, const jarvis::Account& account)
{
    return message.uid() == account.uid && message.gid() == account.gid && message.user() == account.user && message.group() == account.group &&
           message.home() == account.home && message.shell() == account.shell && std::ranges::equal(message.groups(), account.groups);
}

// Of many users who submit by turns.
Result<InternedAccount> account_from(const Account& message)
{
    static thread_local std::array<InternedAccount, 1024> recent;
    auto& kept = recent[message.uid() % recent.size()];
    if (message.user().empty() || !says(message, *kept)) {
        auto account = from_message(message);
        if (!account)
            return std::unexpected(std::move(account.error()));
        kept = std::move(*account);
    }
    return kept;
}

// A line break or an escape sequence in a name only ever fools whoever reads a list. Bytes that are not UTF-8 may be
// Latin-1, and pass.
Result<void> check_name(std::string_view text, std::string_view field)
{
    auto control = std::find_if(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (control != text.end())
        return fail(Errc::invalid, "{}: contains a control character (0x{:02x})", field,
                    static_cast<unsigned char>(*control));
    return {};
}

Result<void> check_arguments(const JobRequest& request)
{
    if (static_cast<std::size_t>(request.arguments_size()) > limits::arguments)
        return fail(Errc::invalid, "{} arguments; at most {} are possible", request.arguments_size(), limits::arguments);
    std::size_t total = 0;
    for (const auto& argument : request.arguments()) {
        if (auto text = check_text(argument, limits::one_argument, "argument"); !text)
            return text;
        total += argument.size() + 1;
    }
    if (total > limits::arguments_total)
        return fail(Errc::invalid, "arguments: {} bytes; at most {} are possible", total, limits::arguments_total);
    return {};
}

Result<void> take_limits(const JobRequest& message, jarvis::JobRequest& request)
{
    if (static_cast<std::size_t>(message.limits_size()) > limits::resource_limits)
        return fail(Errc::invalid, "{} resource limits; at most {} are possible", message.limits_size(),
                    limits::resource_limits);
    std::vector<jarvis::ResourceLimit> limits;
    for (const auto& limit_message : message.limits()) {
        auto limit = from_message(limit_message);
        if (!limit)
            return std::unexpected(std::move(limit.error()));
        if (std::ranges::find(limits, limit->name, &jarvis::ResourceLimit::name) != limits.end())
            return fail(Errc::invalid, "resource limit {} is given twice", limit->name);
        limits.push_back(std::move(*limit));
    }
    request.limits = std::move(limits);
    return {};
}

Result<void> take_times(const JobRequest& message, jarvis::JobRequest& request)
{
    if (message.has_time_limit_us()) {
        auto limit = duration_from(message.time_limit_us(), "time limit");
        if (!limit)
            return std::unexpected(std::move(limit.error()));
        if (*limit == Duration::zero())
            return fail(Errc::invalid, "time limit: a job cannot run for no time at all");
        request.time_limit = *limit;
    }
    if (message.has_begin_us()) {
        auto begin = wall_time_from(message.begin_us(), "begin time");
        if (!begin)
            return std::unexpected(std::move(begin.error()));
        request.begin = *begin;
    }
    if (message.has_warning()) {
        auto warning = from_message(message.warning());
        if (!warning)
            return std::unexpected(std::move(warning.error()));
        request.warning = *warning;
    }
    return {};
}

Result<void> take_relations(const JobRequest& message, jarvis::JobRequest& request)
{
    auto array = from_message(message.array());
    if (!array)
        return std::unexpected(std::move(array.error()));
    auto dependencies = from_message(message.dependencies());
    if (!dependencies)
        return std::unexpected(std::move(dependencies.error()));
    auto retry = from_message(message.retry());
    if (!retry)
        return std::unexpected(std::move(retry.error()));
    if (retry->times != 0)
        request.retry = std::move(*retry);
    request.array = std::move(*array);
    request.dependencies = std::move(*dependencies);
    request.kill_on_invalid_dependency = message.kill_on_invalid_dependency();
    request.continue_after_oom = message.continue_after_oom();
    return {};
}

Result<void> take_numbers(const JobRequest& message, jarvis::JobRequest& request)
{
    if (message.nice() < -limits::nice || message.nice() > limits::nice)
        return fail(Errc::invalid, "nice {} is out of range; it goes from -{} to {}", message.nice(), limits::nice,
                    limits::nice);
    if (message.open_mode() > static_cast<std::uint32_t>(OpenMode::append))
        return fail(Errc::corrupt, "there is no open mode {}", message.open_mode());
    if (message.umask() > 0777)
        return fail(Errc::corrupt, "umask {:o} is out of range", message.umask());
    request.hold = message.hold();
    request.nice = message.nice();
    request.open_mode = static_cast<OpenMode>(message.open_mode());
    request.umask = message.umask();
    return {};
}

void take_texts(const JobRequest& message, jarvis::JobRequest& request)
{
    static thread_local RecentTexts recent;
    request.name = message.name();
    request.partition = recent.partition(message.partition());
    request.arguments = std::vector(message.arguments().begin(), message.arguments().end());
    request.working_directory = message.working_directory();
    request.output = recent.output(message.output());
    request.error = recent.error(message.error());
    request.input = recent.input(message.input());
    request.comment = recent.comment(message.comment());
    request.mail_type = recent.mail_type(message.mail_type());
    request.mail_user = recent.mail_user(message.mail_user());
    request.submit_host = recent.submit_host(message.submit_host());
    // Most often the same, and found without looking for it then.
    request.submit_directory =
        message.submit_directory() == message.working_directory() ? request.working_directory : InternedText(message.submit_directory());
}

Result<std::vector<std::string>> node_names(const google::protobuf::RepeatedPtrField<std::string>& names, std::string_view field)
{
    if (static_cast<std::size_t>(names.size()) > limits::nodes)
        return fail(Errc::invalid, "{}: {} nodes; at most {} are possible", field, names.size(), limits::nodes);
    std::unordered_set<std::string_view> seen;
    for (const auto& name : names) {
        if (!is_host_name(name))
            return fail(Errc::invalid, "{}: what stands there is not the name of a node", field);
        if (!seen.insert(name).second)
            return fail(Errc::invalid, "{}: node {} is named twice", field, name);
    }
    return std::vector<std::string>(names.begin(), names.end());
}

// Which nodes it wants, and which not.
Result<void> take_nodes(const JobRequest& message, jarvis::JobRequest& request)
{
    if (auto text = check_text(message.constraint(), limits::constraint, "constraint"); !text)
        return text;
    if (!message.constraint().empty())
        if (auto constraint = parse_constraint(message.constraint()); !constraint)
            return std::unexpected(std::move(constraint.error()));
    request.constraint = message.constraint();
    auto list = node_names(message.node_list(), "node list");
    auto exclude = node_names(message.exclude(), "excluded nodes");
    if (!list || !exclude)
        return std::unexpected(std::move(list ? exclude.error() : list.error()));
    request.node_list = std::move(*list);
    request.exclude = std::move(*exclude);
    return {};
}

// What the two kinds of request have in common.
Result<jarvis::JobRequest> common_request(const JobRequest& message)
{
    jarvis::JobRequest request;
    for (const auto& text : text_fields(message))
        if (auto checked = check_text(text.text, text.limit, text.field); !checked)
            return std::unexpected(std::move(checked.error()));
    if (!message.working_directory().starts_with('/'))
        return fail(Errc::invalid, "working directory \"{}\" is not an absolute path", message.working_directory());
    if (auto arguments = check_arguments(message); !arguments)
        return std::unexpected(std::move(arguments.error()));
    if (!message.has_resources())
        return fail(Errc::corrupt, "it does not say which resources it needs");
    auto resources = from_message(message.resources());
    if (!resources)
        return std::unexpected(std::move(resources.error()));
    request.resources = *resources;
    for (auto take : {take_limits, take_times, take_relations, take_numbers, take_nodes})
        if (auto taken = take(message, request); !taken)
            return std::unexpected(std::move(taken.error()));
    take_texts(message, request);
    return request;
}

JobRequest common_message(const jarvis::JobRequest& request)
{
    JobRequest message;
    message.set_name(request.name);
    message.set_partition(*request.partition);
    *message.mutable_resources() = to_message(request.resources);
    if (request.time_limit)
        message.set_time_limit_us(request.time_limit->count());
    message.set_hold(request.hold);
    if (request.begin)
        message.set_begin_us(request.begin->time_since_epoch().count());
    message.set_nice(request.nice);
    if (request.warning)
        *message.mutable_warning() = to_message(*request.warning);
    message.set_kill_on_invalid_dependency(request.kill_on_invalid_dependency);
    message.set_continue_after_oom(request.continue_after_oom);
    if (request.retry)
        *message.mutable_retry() = to_message(*request.retry);
    for (const auto& argument : *request.arguments)
        message.add_arguments(argument);
    message.set_working_directory(*request.working_directory);
    message.set_output(*request.output);
    message.set_error(*request.error);
    message.set_input(*request.input);
    message.set_open_mode(static_cast<std::uint32_t>(request.open_mode));
    message.set_umask(request.umask);
    for (const auto& limit : *request.limits)
        *message.add_limits() = to_message(limit);
    message.set_comment(*request.comment);
    message.set_mail_type(*request.mail_type);
    message.set_mail_user(*request.mail_user);
    message.set_submit_host(*request.submit_host);
    message.set_submit_directory(*request.submit_directory);
    message.set_constraint(*request.constraint);
    message.mutable_node_list()->Assign(request.node_list->begin(), request.node_list->end());
    message.mutable_exclude()->Assign(request.exclude->begin(), request.exclude->end());
    return message;
}

void put_relations(const jarvis::JobRequest& request, JobRequest& message)
{
    if (request.is_array())
        *message.mutable_array() = to_message(*request.array);
    if (!request.dependencies->empty())
        *message.mutable_dependencies() = to_message(*request.dependencies);
}

} // namespace

Account to_message(const jarvis::Account& account)
{
    Account message;
    message.set_uid(account.uid);
    message.set_gid(account.gid);
    for (auto group : account.groups)
        message.add_groups(group);
    message.set_user(account.user);
    message.set_group(account.group);
    message.set_home(account.home);
    message.set_shell(account.shell);
    return message;
}

Result<jarvis::Account> from_message(const Account& message)
{
    constexpr auto none = static_cast<std::uint32_t>(-1); // "leave as it is", to setresuid(2) and its kin
    if (message.uid() == none || message.gid() == none)
        return fail(Errc::corrupt, "account: uid {} gid {} is out of range", message.uid(), message.gid());
    if (static_cast<std::size_t>(message.groups_size()) > limits::groups)
        return fail(Errc::corrupt, "account: {} groups; at most {} are possible", message.groups_size(), limits::groups);
    if (message.user().empty())
        return fail(Errc::corrupt, "account: uid {} has no name", message.uid());
    const TextField texts[] = {{message.user(), limits::name, "user", true},
                               {message.group(), limits::name, "group", true},
                               {message.home(), limits::path, "home", false},
                               {message.shell(), limits::path, "shell", false}};
    for (const auto& text : texts)
        if (auto checked = check_text(text.text, text.limit, text.field); !checked)
            return fail(checked.error(), "account");
    jarvis::Account account{message.uid(), message.gid(), {message.groups().begin(), message.groups().end()},
                            message.user(), message.group(), message.home(), message.shell()};
    if (std::adjacent_find(account.groups.begin(), account.groups.end(), std::greater_equal()) != account.groups.end() ||
        (!account.groups.empty() && account.groups.back() == none))
        return fail(Errc::corrupt, "account: the groups of uid {} are not in order", account.uid);
    return account;
}

WarningSignal to_message(const jarvis::WarningSignal& warning)
{
    WarningSignal message;
    message.set_signal(warning.signal);
    message.set_before_us(warning.before.count());
    message.set_batch_only(warning.batch_only);
    return message;
}

Result<jarvis::WarningSignal> from_message(const WarningSignal& message)
{
    if (message.signal() < 1 || message.signal() > limits::signal)
        return fail(Errc::invalid, "warning signal: there is no signal {}", message.signal());
    auto before = duration_from(message.before_us(), "warning signal");
    if (!before)
        return std::unexpected(std::move(before.error()));
    return jarvis::WarningSignal{message.signal(), *before, message.batch_only()};
}

ResourceLimit to_message(const jarvis::ResourceLimit& limit)
{
    ResourceLimit message;
    message.set_name(limit.name);
    message.set_soft(limit.soft);
    message.set_hard(limit.hard);
    return message;
}

Result<jarvis::ResourceLimit> from_message(const ResourceLimit& message)
{
    const auto& name = message.name();
    bool is_word = !name.empty() && name.size() <= 32 &&
                   std::all_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!is_word)
        return fail(Errc::invalid, "resource limit: its name must be one as NOFILE, of capital letters");
    if (message.soft() > message.hard())
        return fail(Errc::invalid, "resource limit {}: the soft limit {} is above the hard one {}", name, message.soft(),
                    message.hard());
    return jarvis::ResourceLimit{name, message.soft(), message.hard()};
}

ResourceRequest to_message(const jarvis::ResourceRequest& resources)
{
    ResourceRequest message;
    message.set_tasks(resources.tasks);
    message.set_cpus_per_task(resources.cpus_per_task);
    if (resources.memory_per_node)
        message.set_memory_per_node(resources.memory_per_node->bytes);
    if (resources.memory_per_cpu)
        message.set_memory_per_cpu(resources.memory_per_cpu->bytes);
    message.set_exclusive(resources.exclusive);
    message.set_nodes_min(resources.nodes_min);
    message.set_nodes_max(resources.nodes_max);
    message.set_tasks_per_node(resources.tasks_per_node);
    message.set_contiguous(resources.contiguous);
    if (resources.wishes != Wishes{})
        *message.mutable_wishes() = to_message(*resources.wishes);
    return message;
}

Result<jarvis::ResourceRequest> from_message(const ResourceRequest& message)
{
    jarvis::ResourceRequest resources{.tasks = message.tasks(),
                                      .cpus_per_task = message.cpus_per_task(),
                                      .memory_per_node = {},
                                      .memory_per_cpu = {},
                                      .exclusive = message.exclusive(),
                                      .nodes_min = message.nodes_min(),
                                      .nodes_max = message.nodes_max(),
                                      .tasks_per_node = message.tasks_per_node(),
                                      .contiguous = message.contiguous(),
                                      .wishes = {}};
    if (resources.tasks < 1 || resources.tasks > limits::tasks)
        return fail(Errc::invalid, "{} tasks: from 1 to {} are possible", resources.tasks, limits::tasks);
    if (resources.cpus_per_task < 1 || resources.cpus_per_task > limits::cpus_per_task)
        return fail(Errc::invalid, "{} CPUs per task: from 1 to {} are possible", resources.cpus_per_task,
                    limits::cpus_per_task);
    if (std::max(resources.nodes_min, resources.nodes_max) > limits::nodes)
        return fail(Errc::invalid, "{} nodes: at most {} are possible", std::max(resources.nodes_min, resources.nodes_max), limits::nodes);
    if (resources.nodes_max != 0 && resources.nodes_max < resources.nodes_min)
        return fail(Errc::invalid, "from {} to {} nodes: the first number is the smaller one", resources.nodes_min, resources.nodes_max);
    if (resources.tasks_per_node > limits::tasks)
        return fail(Errc::invalid, "{} tasks per node: at most {} are possible", resources.tasks_per_node, limits::tasks);
    auto cores = std::uint64_t{resources.tasks} * resources.cpus_per_task;
    if (cores > limits::cores_of_job)
        return fail(Errc::invalid, "{} tasks of {} CPUs: at most {} CPUs in all are possible", resources.tasks,
                    resources.cpus_per_task, limits::cores_of_job);
    if (message.has_memory_per_node() && message.has_memory_per_cpu())
        return fail(Errc::invalid, "memory is asked for per node and per CPU; only one of them is possible");
    if (message.has_memory_per_node()) {
        if (message.memory_per_node() < 1 || message.memory_per_node() > limits::memory)
            return fail(Errc::invalid, "memory per node: {} bytes is out of range", message.memory_per_node());
        resources.memory_per_node = MemorySize{message.memory_per_node()};
    }
    if (message.has_memory_per_cpu()) {
        // All of the job's memory stays in range, so that sums and products of it fit 64 bits.
        if (message.memory_per_cpu() < 1 || message.memory_per_cpu() > limits::memory / static_cast<std::int64_t>(cores))
            return fail(Errc::invalid, "memory per CPU: {} bytes for {} CPUs is out of range", message.memory_per_cpu(),
                        cores);
        resources.memory_per_cpu = MemorySize{message.memory_per_cpu()};
    }
    if (message.has_wishes()) {
        auto wishes = from_message(message.wishes());
        if (!wishes)
            return std::unexpected(std::move(wishes.error()));
        resources.wishes = std::move(*wishes);
    }
    return resources;
}

JobRequest to_message(const jarvis::JobRequest& request)
{
    JobRequest message = to_task_message(request);
    put_relations(request, message);
    return message;
}

JobRequest to_task_message(const jarvis::JobRequest& request)
{
    JobRequest message = common_message(request);
    *message.mutable_account() = to_message(*request.account);
    message.set_requeue(request.requeue);
    message.set_script(hash_bytes(*request.script));
    message.set_script_size(request.script_size);
    message.set_environment(hash_bytes(*request.environment));
    return message;
}

Result<jarvis::JobRequest> from_message(const JobRequest& message)
{
    auto request = common_request(message);
    if (!request)
        return fail(request.error(), "request");
    if (!message.has_account())
        return fail(Errc::corrupt, "request: it has no account");
    auto account = account_from(message.account());
    if (!account)
        return fail(account.error(), "request");
    request->account = std::move(*account);
    if (message.partition().empty())
        return fail(Errc::corrupt, "request: it has no partition");
    auto script = hash_from(message.script(), "script");
    auto environment = hash_from(message.environment(), "environment");
    for (const auto* hash : {&script, &environment})
        if (!*hash)
            return fail(hash->error(), "request");
    if (message.script_size() > limits::script)
        return fail(Errc::corrupt, "request: a script of {} bytes is out of range", message.script_size());
    static thread_local Recent<InternedHash> recent_script;
    request->script = recent_script(*script);
    request->script_size = message.script_size();
    request->environment = *environment;
    request->requeue = message.requeue();
    return request;
}

JobRequest to_submit_message(const SubmittedRequest& submitted)
{
    JobRequest message = common_message(submitted.request);
    put_relations(submitted.request, message);
    if (submitted.requeue)
        message.set_requeue(*submitted.requeue);
    return message;
}

Result<SubmittedRequest> submitted_request(const JobRequest& message)
{
    for (const auto& text : text_fields(message))
        if (text.is_name)
            if (auto checked = check_name(text.text, text.field); !checked)
                return std::unexpected(std::move(checked.error()));
    auto request = common_request(message);
    if (!request)
        return std::unexpected(std::move(request.error()));
    SubmittedRequest submitted{std::move(*request), {}};
    if (message.has_requeue())
        submitted.requeue = message.requeue();
    return submitted;
}

Environment environment_message(std::span<const std::string> variables)
{
    Environment message;
    for (const auto& variable : variables)
        message.add_variables(variable);
    return message;
}

Result<void> check_environment(const Environment& message)
{
    if (static_cast<std::size_t>(message.variables_size()) > limits::variables)
        return fail(Errc::invalid, "environment: {} variables; at most {} are possible", message.variables_size(),
                    limits::variables);
    std::size_t total = 0;
    for (const auto& variable : message.variables()) {
        auto equals = variable.find('=');
        auto name = std::string_view(variable).substr(0, std::min<std::size_t>(equals, 64));
        if (equals == std::string::npos || equals == 0)
            return fail(Errc::invalid, "environment: \"{}\" is not of the form NAME=VALUE", name);
        if (auto text = check_text(variable, limits::one_argument, name); !text)
            return fail(text.error(), "environment");
        total += variable.size() + 1;
    }
    if (total > limits::environment_total)
        return fail(Errc::invalid, "environment: {} bytes; at most {} are possible", total, limits::environment_total);
    return {};
}

Result<std::vector<std::string>> from_message(const Environment& message)
{
    if (auto checked = check_environment(message); !checked)
        return std::unexpected(checked.error());
    return std::vector<std::string>(message.variables().begin(), message.variables().end());
}

} // namespace jarvis::wire
