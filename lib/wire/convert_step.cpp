#include "wire/convert_step.hpp"

#include "wire/convert.hpp"
#include "wire/limits.hpp"

namespace jarvis::wire {

StepEnd to_message(const jarvis::StepEnd& end)
{
    StepEnd message;
    message.set_step(end.step);
    message.set_name(end.name);
    message.set_node_list(end.node_list);
    message.set_node_count(end.node_count);
    message.set_tasks(end.tasks);
    message.set_cores(end.cores);
    message.set_started_us(end.started.time_since_epoch().count());
    message.set_ended_us(end.ended.time_since_epoch().count());
    message.set_exit_code(end.exit_code);
    message.set_signal(end.signal);
    message.set_cause(end.cause);
    *message.mutable_usage() = to_message(end.usage);
    return message;
}

namespace {

Result<void> check_numbers(const StepEnd& message)
{
    if (message.node_count() < 1 || message.node_count() > limits::nodes)
        return fail(Errc::corrupt, "{} nodes are out of range", message.node_count());
    if (message.tasks() < 1 || message.tasks() > limits::tasks)
        return fail(Errc::corrupt, "{} tasks are out of range", message.tasks());
    if (message.cores() > limits::cores_of_job)
        return fail(Errc::corrupt, "{} cores are out of range", message.cores());
    if (message.exit_code() < 0 || message.exit_code() > 255)
        return fail(Errc::corrupt, "exit code {} is out of range", message.exit_code());
    if (message.signal() < 0 || message.signal() > limits::signal)
        return fail(Errc::corrupt, "signal {} is out of range", message.signal());
    return {};
}

Result<void> check_texts(const StepEnd& message)
{
    if (auto name = check_text(message.name(), limits::name, "its name"); !name)
        return name;
    if (auto nodes = check_text(message.node_list(), limits::message, "its nodes"); !nodes)
        return nodes;
    return check_text(message.cause(), limits::cause, "its cause");
}

} // namespace

Result<jarvis::StepEnd> from_message(const StepEnd& message)
{
    for (const auto& checked : {check_numbers(message), check_texts(message)})
        if (!checked)
            return fail(checked.error(), "step {}", message.step());
    const auto started = wall_time_from(message.started_us(), "its start");
    const auto ended = wall_time_from(message.ended_us(), "its end");
    auto usage = from_message(message.usage());
    if (!started || !ended || !usage)
        return fail(!started ? started.error() : !ended ? ended.error() : usage.error(), "step {}", message.step());
    return jarvis::StepEnd{.step = message.step(), .name = message.name(), .node_list = message.node_list(),
                           .node_count = message.node_count(), .tasks = message.tasks(), .cores = message.cores(),
                           .started = *started, .ended = *ended, .exit_code = message.exit_code(), .signal = message.signal(),
                           .cause = message.cause(), .usage = std::move(*usage)};
}

} // namespace jarvis::wire
